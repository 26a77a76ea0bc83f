import { everybody } from "../../../broker/lanes.ts";
import type { LinkCounters } from "../../../observe/link-counters.ts";
import { silentLog } from "../../../observe/log.ts";
import type { Random } from "../../../testing/random.ts";
import { SimulatedProcess } from "../../../testing/simulation/simulated-process.ts";
import { Simulation } from "../../../testing/simulation/simulation.ts";
import { recordCost } from "../batch.ts";
import { type ResolvedLinkOptions, resolveLinkOptions } from "../link-options.ts";
import type { LinkOutcome, LinkRecord, RecordClass } from "../link-port.ts";
import { Links } from "../links.ts";
import { CreditWitness } from "./credit-witness.ts";
import { HostileNetwork, type Publish, type ShardState } from "./hostile-lanes.ts";
import { LinkLedger, recordOf, type SentRecord } from "./link-ledger.ts";

interface Node {
  readonly incarnation: bigint;
  readonly process: SimulatedProcess;
  readonly links: Links;
  /** Peers that it was told of. Others it finds out by what they send, and sends nothing before. */
  readonly knows: Set<bigint>;
  /** Of them, those that it was told to listen to what goes to all. */
  readonly countsOn: Set<bigint>;
  /** Its router is behind: it keeps what it gets until then. */
  keepsUntilMs: number;
  /** How long it stood still, in milliseconds. */
  frozenMs: number;
  readonly witness: CreditWitness;
  /** The highest revision that it understands. */
  readonly maxRevision: number;
  /** Records that it has sent. */
  records: number;
}

const faultsUntilMs = 4_000;
/** After everything has healed, by when all must be settled and quiet. */
const settledAfterMs = 2_000;
const quietAfterMs = 6_000;
/** How late a time-out may be: timers are late, and after a standstill what has arrived is read first. */
const slackMs = 100;
const largestLength = 12_000;

/** One run of a few nodes whose links go through lanes that fail; everything about it comes from the seed. */
export class LinksRun {
  readonly simulation: Simulation;
  readonly network: HostileNetwork;
  readonly faults: string[] = [];
  readonly options: ResolvedLinkOptions;
  readonly #random: Random;
  readonly #nodes: Node[];
  #mortal: Node | undefined;
  readonly #ledgers = new Map<string, LinkLedger>();

  constructor(seed: number) {
    this.simulation = new Simulation(seed);
    this.#random = this.simulation.random("run");
    const random = this.#random;
    const isTight = random.chance(0.5);
    this.options = resolveLinkOptions({
      ...(isTight && { maxLiveBytes: 20_000, maxVolatileBytes: 4_000, maxDurableBytes: 4_000, maxControlBytes: 8_000 }),
      ...(random.chance(0.3) && { maxUnacknowledged: 8, maxBatchBytes: 2_000 }),
      ...(random.chance(0.3) && { maxPeers: 4, maxInboundBytes: 80_000 }),
      ...(random.chance(0.3) && { maxLossChannels: 2 }),
      holdMs: random.pick([500, 3_000]),
      sharedPeers: random.pick([1, 1, 2, 2, 1_000]),
      sharedBytes: random.pick([1, 300, 6_000]),
      ...(random.chance(0.5) && { maxOverdraftBytes: 20_000 }),
    });
    this.network = new HostileNetwork(this.simulation, random.pick([1, 3, 6]), random.pick([1, 3]), (publish) =>
      this.#witness(publish),
    );
    this.#nodes = Array.from({ length: random.pick([2, 3, 3, 4, 5]) }, (_, index) => this.#node(BigInt(index + 1)));
  }

  /** Runs it and tells what was wrong. */
  async run(): Promise<string[]> {
    for (const node of this.#nodes) {
      void node.links.listen();
      for (const peer of this.#nodes) {
        if (peer === node || this.#random.chance(0.2)) continue;
        const revision = this.#random.chance(0.1) ? undefined : peer.maxRevision;
        node.links.addPeer(peer.incarnation, revision);
        if (revision === 2) node.countsOn.add(peer.incarnation);
        node.knows.add(peer.incarnation);
      }
    }
    this.#planFaults();
    this.#planTraffic();
    for (let atMs = 0; atMs < faultsUntilMs; atMs += 50) this.simulation.at(atMs, () => this.#checkBounds());
    await this.simulation.runUntil(faultsUntilMs);
    this.network.heal();
    for (const { process } of this.#nodes) process.thaw();
    await this.simulation.runUntil(faultsUntilMs + settledAfterMs);
    this.#checkLedgers();
    const last = this.#livingPairs().flatMap(([from, to]) =>
      from.knows.has(to.incarnation) ? [this.#send(from, to, "control", 10)] : [],
    );
    await this.simulation.runUntil(faultsUntilMs + settledAfterMs + 100);
    for (const [index, { outcomes }] of last.entries()) {
      if (outcomes[0] !== "delivered") this.#fault(`the last record of pair ${index} was ${outcomes[0]}`);
    }
    await this.simulation.runUntil(faultsUntilMs + quietAfterMs);
    this.#checkLedgers();
    await this.#checkQuiet();
    return this.faults;
  }

  /** What the links of each node have counted. */
  get counters(): LinkCounters[] {
    return this.#nodes.map(({ links }) => links.counters);
  }

  #witness({ from, to, bytes }: Publish): void {
    const sender = this.#nodes.find(({ incarnation }) => incarnation === from);
    for (const { incarnation, witness, process } of this.#nodes) {
      if (to === incarnation) {
        witness.published(bytes);
        sender?.witness.said(to, bytes);
      } else if (to === everybody && incarnation !== from) {
        if (!process.isDead && sender?.countsOn.has(incarnation)) witness.published(bytes);
        sender?.witness.said(incarnation, bytes);
      }
    }
  }

  #checkBounds(): void {
    const { maxLiveBytes, maxVolatileBytes, maxDurableBytes, maxControlBytes, maxUnacknowledged } = this.options;
    const { maxInboundBytes, maxPeerInboundBytes, maxBatchBytes } = this.options;
    const peers = this.#nodes.length - 1;
    for (const { incarnation, links, witness } of this.#living) {
      const { waitingBytes, unacknowledgedBytes, earlyBytes } = links.counters;
      const waitingBound = maxLiveBytes + maxVolatileBytes + maxDurableBytes + maxControlBytes;
      const sentBound = Math.max(maxPeerInboundBytes, maxBatchBytes) + largestLength + 100 + maxUnacknowledged * 100;
      const bounded: [string, number, number][] = [
        ["waiting", waitingBytes, peers * waitingBound],
        ["unacknowledged", unacknowledgedBytes, peers * sentBound],
        ["early", earlyBytes, maxInboundBytes + peers * largestLength],
        ["on their way", witness.mostBytes, maxInboundBytes],
        ["overdrawn", witness.mostOverdraftBytes, this.options.maxOverdraftBytes],
      ];
      for (const [name, bytes, bound] of bounded) {
        if (bytes > bound) this.#fault(`node ${incarnation} has ${bytes} bytes ${name}`);
      }
    }
  }

  async #checkQuiet(): Promise<void> {
    const { publishes } = this.network;
    await this.simulation.runUntil(faultsUntilMs + 2 * quietAfterMs);
    if (this.network.publishes !== publishes) this.#fault("links that have nothing to say publish");
    for (const { process, incarnation, links } of this.#living) {
      const { pendingTimers } = process;
      if (pendingTimers > 0) this.#fault(`node ${incarnation} has ${pendingTimers} timers left`);
      const { waitingBytes, unacknowledgedBytes, earlyBytes, sickLanes, suspendedLinks } = links.counters;
      const left = { waitingBytes, unacknowledgedBytes, earlyBytes, sickLanes, suspendedLinks };
      for (const [name, value] of Object.entries(left)) {
        if (value !== 0) this.#fault(`node ${incarnation} is left with ${name} ${value}`);
      }
    }
  }

  #node(incarnation: bigint): Node {
    const process = new SimulatedProcess({
      simulation: this.simulation,
      name: `node ${incarnation}`,
      onThrown: (reason) => this.#fault(`node ${incarnation} threw ${reason}`),
    });
    const maxRevision = this.#random.chance(0.15) ? 1 : 2;
    const node: Node = {
      incarnation,
      maxRevision,
      records: 0,
      process,
      knows: new Set(),
      countsOn: new Set(),
      keepsUntilMs: 0,
      frozenMs: 0,
      witness: new CreditWitness(incarnation, recordCost(largestLength + 4)),
      links: new Links({
        self: incarnation,
        lanes: this.network.lanesOf(incarnation, process),
        clock: process.clock,
        log: silentLog,
        random: () => process.random.between(0, 1),
        options: { ...this.options, maxRevision },
        receiver: {
          onRecords: (from, records, keep) => {
            node.knows.add(from);
            for (const bytes of records) this.#received(from, incarnation, bytes);
            const bytes = records.reduce((sum, { length }) => sum + recordCost(length), 0);
            const keepMs = node.keepsUntilMs - this.simulation.nowMs;
            if (keepMs <= 0) return node.witness.workedOff(from, bytes);
            const release = keep();
            this.simulation.after(keepMs, () => {
              process.run(() => {
                node.witness.workedOff(from, bytes);
                release();
              });
            });
          },
          onLoss: (from, channels) => this.#ledger(from, incarnation).lost(channels),
        },
      }),
    };
    return node;
  }

  /** What the ledger says of it: what is thrown here would be the receiver's own fault. */
  #received(from: bigint, to: bigint, bytes: Uint8Array): void {
    try {
      this.#ledger(from, to).received(bytes);
    } catch (reason) {
      this.#fault(`${from} to ${to}: ${reason}`);
    }
  }

  get #living(): Node[] {
    return this.#nodes.filter(({ process }) => !process.isDead);
  }

  #livingPairs(): (readonly [Node, Node])[] {
    const living = this.#living;
    return living.flatMap((from) => living.filter((to) => to !== from).map((to) => [from, to] as const));
  }

  #planFaults(): void {
    const random = this.#random;
    const { simulation, network } = this;
    if (random.chance(0.5)) {
      const most = random.pick([0.01, 0.1, 0.3]);
      const chance = () => (random.chance(0.5) ? random.between(0, most) : 0);
      network.mischief = { lose: chance(), double: chance(), refuseAfterwards: chance(), delay: chance() };
    }
    for (let count = random.below(7); count > 0; count--) {
      const fromMs = random.between(0, faultsUntilMs - 500);
      const untilMs = Math.min(faultsUntilMs - 1, fromMs + random.between(5, random.pick([100, 1_000, 4_000])));
      const node = random.pick(this.#nodes);
      const begin = (fault: () => void, end: () => void) => {
        simulation.at(fromMs, fault);
        simulation.at(untilMs, end);
      };
      switch (random.below(9)) {
        case 0:
          begin(
            () => network.cut(node.incarnation),
            () => network.mend(node.incarnation),
          );
          break;
        case 1:
          node.frozenMs += untilMs - fromMs;
          begin(
            () => node.process.freeze(),
            () => node.process.thaw(),
          );
          break;
        case 2:
          simulation.at(fromMs, () => {
            node.keepsUntilMs = untilMs;
          });
          break;
        case 4:
          begin(
            () => network.deafToShared.add(node.incarnation),
            () => network.deafToShared.delete(node.incarnation),
          );
          break;
        case 3:
          if (random.chance(0.3)) this.#planDeath(node, fromMs);
          break;
        default: {
          const shard = random.below(network.shards);
          const state = random.pick<ShardState>(["refusing", "silent", "frozen", "deaf", "lying", "modest"]);
          begin(
            () => network.set(shard, state),
            () => network.set(shard, "well"),
          );
        }
      }
    }
  }

  #planDeath(node: Node, atMs: number): void {
    if (this.#mortal !== undefined && this.#mortal !== node) return;
    this.#mortal = node;
    this.simulation.at(atMs, () => node.process.kill());
    for (const other of this.#nodes) {
      if (other === node) continue;
      this.simulation.at(atMs + this.#random.between(100, faultsUntilMs - atMs), () =>
        other.process.run(() => other.links.removePeer(node.incarnation)),
      );
    }
  }

  #planTraffic(): void {
    const random = this.#random;
    const classes: RecordClass[] = ["live", "volatile", "durable", "control"];
    for (const from of this.#living) {
      for (let burst = random.below(25); burst > 0; burst--) {
        const size = random.pick([1, 1, 2, 20]);
        const length = random.pick([0, 20, 200, random.pick([3_000, largestLength])]);
        const share = random.pick([0.8, 1, 1]);
        this.simulation.at(random.between(0, faultsUntilMs), () =>
          from.process.run(() => {
            const known = this.#nodes.filter(({ incarnation }) => from.knows.has(incarnation));
            const targets = known.filter(() => random.chance(share));
            for (let count = 0; count < size; count++) {
              this.#sendToMany(from, targets, random.pick(classes), length);
              if (targets[0] && random.chance(0.2)) this.#send(from, targets[0], random.pick(classes), 20);
            }
          }),
        );
      }
    }
    for (const [from, to] of this.#livingPairs()) {
      const bursts = random.below(30);
      for (let burst = 0; burst < bursts; burst++) {
        const size = random.pick([1, 1, 2, 20]);
        const length = random.pick([0, 20, 200, random.pick([3_000, largestLength])]);
        this.simulation.at(random.between(0, faultsUntilMs), () =>
          from.process.run(() => {
            if (!from.knows.has(to.incarnation)) return;
            for (let count = 0; count < size; count++) this.#send(from, to, random.pick(classes), length);
          }),
        );
      }
    }
  }

  #send(from: Node, to: Node, recordClass: RecordClass, length: number): SentRecord {
    const record = this.#record(from, recordClass, length);
    const { sent, settle, returned } = this.#expect(from, to, record);
    from.links.send(to.incarnation, record, settle);
    returned();
    return sent;
  }

  #sendToMany(from: Node, targets: readonly Node[], recordClass: RecordClass, length: number): void {
    const record = this.#record(from, recordClass, length);
    const isAsked = this.#random.chance(0.8);
    const expected = targets.map((to) => this.#expect(from, to, record, isAsked));
    const to = targets.map(({ incarnation }) => incarnation);
    from.links.sendToMany(to, record, isAsked ? expected.map(({ settle }) => settle) : []);
    for (const { returned } of expected) returned();
  }

  #record(from: Node, recordClass: RecordClass, length: number): LinkRecord {
    const random = this.#random;
    const channel = { appId: "app", key: `g:${recordClass}${random.below(4)}` };
    const conflation = recordClass === "volatile" && random.chance(0.5) ? `${random.below(2)}` : "";
    const shape = { class: recordClass, length, ...(recordClass !== "control" && { channel }), conflation };
    return recordOf(from.records++, shape);
  }

  #expect(from: Node, to: Node, record: LinkRecord, isAsked = true) {
    const ledger = this.#ledger(from.incarnation, to.incarnation);
    const sent = ledger.add(from.records - 1, record, this.simulation.nowMs, isAsked);
    let isReturned = false;
    const settle = (outcome: LinkOutcome) => {
      if (!isReturned) this.#fault(`record ${sent.id} was settled before it was sent`);
      sent.outcomes.push(outcome);
      const ageMs = this.simulation.nowMs - sent.sentMs - from.frozenMs;
      if (ageMs > 2 * this.options.holdMs + slackMs) this.#fault(`record ${sent.id} was settled after ${ageMs} ms`);
    };
    const returned = () => {
      isReturned = true;
    };
    return { sent, settle, returned };
  }

  #checkLedgers(): void {
    for (const [name, ledger] of this.#ledgers) {
      const [from, to] = name
        .split(" ")
        .map((part) => this.#nodes.find(({ incarnation }) => `${incarnation}` === part));
      const faults = from?.process.isDead
        ? ledger.orderFaults()
        : ledger.faults({ isEnded: to?.process.isDead ?? false });
      for (const fault of faults) this.#fault(`${name.replace(" ", " to ")}: ${fault}`);
    }
  }

  #ledger(from: bigint, to: bigint): LinkLedger {
    const name = `${from} ${to}`;
    const ledger = this.#ledgers.get(name) ?? new LinkLedger();
    this.#ledgers.set(name, ledger);
    return ledger;
  }

  #fault(text: string): void {
    this.faults.push(`${Math.round(this.simulation.nowMs)} ms: ${text}`);
  }
}
