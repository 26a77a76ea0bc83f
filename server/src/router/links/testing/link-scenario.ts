import type { AppChannel } from "../../../broker/route-store.ts";
import { createLog, type LogEntry } from "../../../observe/log.ts";
import { SimulatedProcess } from "../../../testing/simulation/simulated-process.ts";
import { Simulation } from "../../../testing/simulation/simulation.ts";
import type { LinkOptions } from "../link-options.ts";
import type { LinkOutcome, RecordClass } from "../link-port.ts";
import { Links } from "../links.ts";
import { HostileNetwork, type Publish } from "./hostile-lanes.ts";

/** How a {@link LinkScenario} begins. */
export interface ScenarioOptions {
  readonly nodes?: number;
  readonly lanes?: number;
  readonly shards?: number;
  /** Of all nodes, or of each by its index. */
  readonly options?: LinkOptions | ((index: number) => LinkOptions);
  /** Nodes do not know each other. */
  readonly areStrangers?: boolean;
}

/** Something that was sent, and what became of it. */
export interface Sent {
  outcome: LinkOutcome | undefined;
  settledMs: number;
}

/** One node of a scenario, and what it got. */
export class ScenarioNode {
  readonly incarnation: bigint;
  /** The highest revision that it understands. */
  readonly maxRevision: number;
  readonly process: SimulatedProcess;
  readonly links: Links;
  readonly received: { readonly from: bigint; readonly text: string; readonly atMs: number }[] = [];
  readonly losses: (readonly AppChannel[] | "all")[] = [];
  readonly logged: LogEntry[] = [];
  /** Called before records are counted as received. */
  onRecords: (keep: () => () => void) => void = () => {};
  readonly #simulation: Simulation;

  constructor(incarnation: bigint, simulation: Simulation, network: HostileNetwork, options: LinkOptions) {
    this.incarnation = incarnation;
    this.maxRevision = options.maxRevision ?? 2;
    this.#simulation = simulation;
    this.process = new SimulatedProcess({
      simulation,
      name: `node ${incarnation}`,
      onThrown: (reason) => {
        throw reason;
      },
    });
    this.links = new Links({
      self: incarnation,
      lanes: network.lanesOf(incarnation, this.process),
      clock: this.process.clock,
      log: createLog({ level: "debug", sink: (entry) => this.logged.push(entry), nowMs: () => simulation.nowMs }),
      random: () => this.process.random.between(0, 1),
      options,
      receiver: {
        onRecords: (from, records, keep) => {
          this.onRecords(keep);
          for (const bytes of records) {
            this.received.push({ from, text: Buffer.from(bytes).toString(), atMs: simulation.nowMs });
          }
        },
        onLoss: (_, channels) => this.losses.push(channels),
      },
    });
  }

  /** What it has received, in its order. */
  get texts(): string[] {
    return this.received.map(({ text }) => text);
  }

  /** When it received this; undefined: it has not. */
  receivedMs(text: string): number | undefined {
    return this.received.find((one) => one.text === text)?.atMs;
  }

  /** What it has logged. */
  get messages(): string[] {
    return this.logged.map(({ message }) => message);
  }

  send(
    to: ScenarioNode,
    text: string,
    { class: recordClass = "live" as RecordClass, key = "g:a", conflation = "" } = {},
  ): Sent {
    const sent: Sent = { outcome: undefined, settledMs: 0 };
    const channel = { appId: "app", key };
    const record = { class: recordClass, bytes: Buffer.from(text), channel, conflation };
    this.links.send(to.incarnation, record, (outcome) => {
      sent.outcome = outcome;
      sent.settledMs = this.#simulation.nowMs;
    });
    return sent;
  }

  /** The same to several. @returns what became of it, in their order */
  sendToMany(to: readonly ScenarioNode[], text: string, { key = "b" } = {}): Sent[] {
    const all = to.map((): Sent => ({ outcome: undefined, settledMs: 0 }));
    const record = { class: "live" as const, bytes: Buffer.from(text), channel: { appId: "app", key } };
    const settles = all.map((sent) => (outcome: LinkOutcome) => {
      sent.outcome = outcome;
      sent.settledMs = this.#simulation.nowMs;
    });
    this.links.sendToMany(
      to.map(({ incarnation }) => incarnation),
      record,
      settles,
    );
    return all;
  }
}

/** A few nodes and their links, under virtual time; a test says what goes wrong. */
export class LinkScenario {
  readonly simulation = new Simulation(1);
  readonly network: HostileNetwork;
  readonly nodes: readonly ScenarioNode[];
  readonly published: (Publish & { readonly atMs: number })[] = [];

  constructor({ nodes = 2, lanes = 6, shards = 3, options = {}, areStrangers = false }: ScenarioOptions = {}) {
    this.network = new HostileNetwork(this.simulation, lanes, shards, (publish) =>
      this.published.push({ ...publish, atMs: this.simulation.nowMs }),
    );
    this.nodes = Array.from(
      { length: nodes },
      (_, index) =>
        new ScenarioNode(
          BigInt(index + 1),
          this.simulation,
          this.network,
          typeof options === "function" ? options(index) : options,
        ),
    );
    for (const node of this.nodes) {
      void node.links.listen();
      for (const peer of this.nodes)
        if (peer !== node && !areStrangers) node.links.addPeer(peer.incarnation, peer.maxRevision);
    }
  }

  get nowMs(): number {
    return this.simulation.nowMs;
  }

  node(index: number): ScenarioNode {
    return this.nodes[index] as ScenarioNode;
  }

  runFor(ms: number): Promise<void> {
    return this.simulation.runUntil(this.simulation.nowMs + ms);
  }
}
