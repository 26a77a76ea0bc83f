import { Outcome } from "@fanfare/sdk-core";
import type { Random } from "../../server/src/testing/random.ts";
import { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import { type Backbone, EmbeddedBackbone } from "./backbone.ts";
import { BackendPublishes } from "./backend-publishes.ts";
import { checkBackend, membershipFaults, settingsFaults } from "./checks/backend.ts";
import { excessOf } from "./checks/bounds.ts";
import { checkCalm } from "./checks/calm.ts";
import { checkGuarantees } from "./checks/guarantees.ts";
import { leaksOf } from "./checks/leaks.ts";
import { checkLogs } from "./checks/logs.ts";
import { checkLostConnections } from "./checks/lost-connections.ts";
import { rosterFaults } from "./checks/presence.ts";
import { GameBackend } from "./game-backend.ts";
import { Ledger, type Published, type Trace } from "./ledger.ts";
import { Network } from "./network.ts";
import { NodePlace } from "./node-place.ts";
import {
  durableGroups,
  isBackendStep,
  isDurable,
  liveGroups,
  type NodeStep,
  type Plan,
  type PlayerStep,
  presenceGroup,
  type Step,
} from "./plan.ts";
import type { Sabotage } from "./sabotage.ts";
import { SimulatedPlayer } from "./simulated-player.ts";
import { type Tally, tally } from "./tally.ts";
import { ValkeyBackbone } from "./valkey-backbone.ts";

/** What came of a run. */
export interface RunResult {
  /** Everything that is wrong, in sentences. */
  readonly faults: readonly string[];
  readonly tally: Tally;
}

/** How a run is watched. */
export interface RunOptions {
  /** Told everything that happens, one line at a time. */
  readonly trace?: Trace;
  /** Whether it is also told every frame of the clients. Default: no. */
  readonly showsFrames?: boolean;
  /** What goes wrong on purpose. Default: nothing. */
  readonly sabotage?: Sabotage | undefined;
}

/** How long clients may take to be back after the last fault, in milliseconds. */
const settleMs = 90_000;
/** Nodes die by these, or do not reach enough of Valkey to be known as alive. */
const losesNodes: ReadonlySet<Step["do"]> = new Set([
  ...(["kill-node", "freeze-node", "partition", "lose-published"] as const),
  ...(["kill-primary", "freeze-primary", "isolate-primary"] as const),
]);
/** How long it takes at most until a node that died is dead to one that came later: two lives of a lease. */
const deathMs = 12_000;
/** How long what is published then may take to be answered and to arrive. */
const probeMs = 30_000;
/** How long nodes may take to close in order, in milliseconds. */
const closeMs = 30_000;
/** How often it is looked whether queues are within their bounds, in milliseconds. */
const boundsMs = [20, 200] as const;
/** Steps in which a run looks whether it has come to rest, in milliseconds: of any length, so that none is in step with what it looks at. */
const lookMs = [50, 400] as const;

/** One run: its nodes, its players, what they do and what is done to them. */
export class SimulatedRun {
  readonly #plan: Plan;
  readonly #simulation: Simulation;
  readonly #ledger: Ledger;
  readonly #network: Network;
  readonly #backbone: Backbone;
  readonly #places: NodePlace[];
  readonly #players: (SimulatedPlayer | undefined)[] = [];
  readonly #everyPlayer: SimulatedPlayer[] = [];
  readonly #backend: GameBackend;
  readonly #publishes: BackendPublishes;
  readonly #trace: Trace;
  readonly #showsFrames: boolean;
  readonly #looks: Random;
  /** Bounds that were exceeded, without their figures. */
  readonly #exceeded = new Set<string>();

  constructor(plan: Plan, { trace, showsFrames = false, sabotage }: RunOptions = {}) {
    this.#plan = plan;
    this.#showsFrames = showsFrames;
    this.#simulation = new Simulation(plan.seed);
    const simulation = this.#simulation;
    this.#looks = simulation.random("looks");
    this.#trace = trace && ((line) => trace(`${(simulation.nowMs / 1000).toFixed(4).padStart(9)}  ${line}`));
    this.#ledger = new Ledger(() => simulation.nowMs, this.#trace);
    this.#network = new Network(simulation, sabotage === "swap-messages");
    const around = { simulation, ledger: this.#ledger, network: this.#network, trace: this.#trace, plan, sabotage };
    this.#backend = new GameBackend({
      ...{ simulation, ledger: this.#ledger, trace: this.#trace },
      players: this.#everyPlayer,
    });
    const { setting } = plan;
    this.#backbone = setting === "embedded" ? new EmbeddedBackbone() : new ValkeyBackbone(around, setting);
    this.#places = Array.from({ length: plan.nodes }, (_, i) => new NodePlace(around, this.#backbone, i));
    this.#publishes = new BackendPublishes({
      ...{ simulation, ledger: this.#ledger, trace: this.#trace, places: this.#places },
    });
  }

  /** Runs to the end. @throws if the run itself is at fault */
  async run(): Promise<RunResult> {
    const simulation = this.#simulation;
    for (const place of this.#places) place.start();
    await this.#until("the nodes serve", 60_000, () => this.#places.every((place) => place.isServing));
    // Twice, because what is done from time to time has no timer while it is done.
    await simulation.runUntil(simulation.nowMs + 900);
    const before = this.#places.map((place) => place.timers);
    await simulation.runUntil(simulation.nowMs + 100);
    const idle = this.#places.map((place, i) => Math.max(place.timers, before[i] ?? 0));
    this.#watchBounds();
    const beganMs = simulation.nowMs;
    for (const step of this.#plan.steps) {
      await simulation.runUntil(beganMs + step.atMs);
      this.#carryOut(step);
    }
    await this.#settle(beganMs);
    this.#ledger.faults.push(...checkBackend(this.#backend, this.#everyPlayer, this.#backbone.losses));
    await this.#probe();
    await this.#audit();
    this.#ledger.faults.push(
      ...checkGuarantees(this.#ledger, this.#backbone.losses),
      ...checkCalm(this.#plan, this.#ledger, this.#backend.calls),
      ...checkLostConnections(this.#plan, this.#ledger, this.#backend.calls),
    );
    await this.#endAll(idle);
    return { faults: this.#ledger.faults, tally: tally(this.#ledger, simulation) };
  }

  /** Looks again and again whether anything is past its bounds; told once a kind. */
  #watchBounds(): void {
    for (const place of this.#places) {
      for (const excess of excessOf(place, this.#plan)) {
        const kind = excess.replaceAll(/\d+/g, "");
        if (!this.#exceeded.has(kind)) this.#ledger.fault(excess);
        this.#exceeded.add(kind);
      }
    }
    this.#simulation.after(this.#looks.between(...boundsMs), () => this.#watchBounds());
  }

  #carryOut(step: Step): void {
    this.#trace?.(`* ${describe(step)}`);
    if ("player" in step) this.#ofPlayer(step);
    else if (step.do === "announce") this.#publishes.carryOut(step);
    else if (isBackendStep(step)) this.#backend.carryOut(step, this.#place(step.node));
    else if (isNodeStep(step)) this.#place(step.node).carryOut(step);
    else this.#backbone.carryOut(step, (node) => this.#place(node).process);
  }

  #place(node: number): NodePlace {
    return this.#places[node % this.#places.length] as NodePlace;
  }

  #ofPlayer(step: PlayerStep): void {
    const index = step.player % this.#plan.players;
    const player = this.#players[index];
    const simulation = this.#simulation;
    if (step.do === "connect") {
      if (player === undefined || player.isClosed) this.#connect(index);
      return;
    }
    if (player === undefined || player.isClosed) return;
    const sockets = this.#network.socketsOf(player.process);
    switch (step.do) {
      case "close":
        return player.close();
      case "join":
        return player.join(step.group);
      case "leave":
        return player.leave(step.group);
      case "publish":
      case "send":
        for (let i = 0; i < step.count; i++) {
          const { excludeSelf, size, conflate } = step;
          player.publish(step.to, { isVolatile: step.do === "send", excludeSelf, size, conflate });
        }
        return;
      case "show":
        return player.show(step.group);
      case "commit":
        return player.commit(step.group);
      case "look-back":
        return player.lookBack(step.group, step.isForward, step.limit);
      case "cut":
        for (const socket of sockets) socket.cut(step.isTold);
        return;
      case "stop-reading":
        for (const socket of sockets) socket.setReading(false);
        simulation.after(step.forMs, () => {
          for (const socket of sockets) socket.setReading(true);
        });
        return;
      case "freeze-player":
        player.process.freeze();
        simulation.after(step.forMs, () => player.process.thaw());
    }
  }

  #connect(index: number): SimulatedPlayer {
    const around = {
      ...{ simulation: this.#simulation, network: this.#network, ledger: this.#ledger, trace: this.#trace },
      ...{ mayEndSinceMs: this.#backend.mayEndSinceMs, showsFrames: this.#showsFrames },
    };
    const runs = this.#everyPlayer.filter(({ playerId }) => playerId === `p${index}`).length;
    const player = new SimulatedPlayer(around, `p${index}`, `p${index}#${runs + 1}`);
    this.#players[index] = player;
    this.#everyPlayer.push(player);
    return player;
  }

  /** The faults are over: everybody is back, and every publish has its answer. */
  async #settle(beganMs: number): Promise<void> {
    this.#trace?.("* the faults are over");
    // What nobody was told of is noticed by its silence.
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#plan.timing;
    const noticedMs = heartbeatIntervalMs + heartbeatTimeoutMs + 2000;
    await this.#simulation.runUntil(Math.max(this.#simulation.nowMs, beganMs + endOf(this.#plan.steps)));
    await this.#until("the nodes serve again", settleMs, () => this.#places.every((place) => place.isServing));
    await this.#simulation.runUntil(Math.max(this.#simulation.nowMs + noticedMs, this.#backend.bannedUntilMs));
    await this.#until("the nodes still serve", settleMs, () => this.#places.every((place) => place.isServing));
    await this.#until("the nodes know one another, and nobody else", settleMs, () => this.#isWellKnown());
    await this.#until("every player is back", settleMs, () =>
      this.#everyPlayer.every((player) => player.isClosed || player.isOpen),
    );
    await this.#answers();
  }

  /** Each node knows all that there are, and none that is not there any more. */
  #isWellKnown(): boolean {
    const nodes = this.#places.flatMap((place) => (place.node === undefined ? [] : [place.node.node]));
    const others = nodes.length - 1;
    return nodes.every(({ cluster }) => {
      const known = new Set(cluster?.peers);
      return (
        cluster === undefined ||
        (known.size === others && nodes.filter((one) => known.has(one.incarnation)).length === others)
      );
    });
  }

  /** Something was done through which a node dies, or is taken for dead. */
  get #mayLoseNodes(): boolean {
    return this.#plan.setting !== "embedded" && this.#plan.steps.some((step) => losesNodes.has(step.do));
  }

  /** Everything works as on the first day. */
  async #probe(): Promise<void> {
    this.#trace?.("* the last round");
    for (let index = 0; index < this.#plan.players; index++) {
      const player = this.#players[index];
      if (player === undefined || player.isClosed) this.#connect(index);
    }
    const players = () => this.#players.filter((player) => player !== undefined);
    await this.#until("every player is connected", settleMs, () => players().every((player) => player.isOpen));
    for (const player of players()) for (const group of [...liveGroups, ...durableGroups]) player.join(group);
    const groups = liveGroups.length + durableGroups.length;
    const haveJoined = () => players().every((player) => player.groups.length === groups);
    await this.#until("every player has joined every group", settleMs, haveJoined);
    for (const player of players()) player.show(presenceGroup);
    await this.#untilNone(settleMs, () => [
      ...rosterFaults(players()),
      ...membershipFaults(this.#backend, players(), this.#backbone.losses),
      ...settingsFaults(this.#backend, this.#places, this.#backbone.losses),
    ]);
    let failed = await this.#failedPublishes(players());
    if (failed.length > 0 && this.#mayLoseNodes) {
      // Of a node that died behind a registry that was lost there may be routes alone, and the first message to them finds that out.
      await this.#simulation.runUntil(this.#simulation.nowMs + deathMs);
      failed = await this.#failedPublishes(players());
    }
    for (const { id, outcome, error } of failed)
      this.#ledger.fault(`${id}, published in the last round, is ${outcome && Outcome[outcome]} ${error}`);
  }

  /** Everybody publishes to every channel. @returns what did not become of it what has to */
  async #failedPublishes(players: readonly SimulatedPlayer[]): Promise<readonly Published[]> {
    const before = this.#ledger.published.size;
    for (const [index, player] of players.entries()) {
      const next = `player/p${(index + 1) % this.#plan.players}`;
      for (const to of [...liveGroups, ...durableGroups, next, "broadcast"]) player.publish(to);
    }
    await this.#answers();
    await this.#simulation.runUntil(this.#simulation.nowMs + 2000);
    const round = [...this.#ledger.published.values()].slice(before);
    return round.filter(
      ({ outcome, channel }) => outcome !== (isDurable(channel) ? Outcome.STORED : Outcome.DELIVERED),
    );
  }

  /** Somebody reads all logs from their beginnings. */
  async #audit(): Promise<void> {
    this.#trace?.("* the logs are read");
    const auditor = this.#connect(this.#plan.players);
    await this.#until("whoever reads the logs is connected", settleMs, () => auditor.isOpen);
    for (const group of durableGroups) auditor.join(group, { rewind: 10_000 });
    const isRead = () => auditor.groups.length === durableGroups.length && auditor.isCaughtUp;
    await this.#until("the logs are read", settleMs, isRead);
    this.#ledger.faults.push(...checkLogs(this.#ledger, auditor.name, this.#backbone.losses));
  }

  #answers(): Promise<void> {
    const areAnswered = (player: SimulatedPlayer) => player.process.isDead || player.openAnswers === 0;
    return this.#until(
      "every publish is answered",
      probeMs + settleMs,
      () => this.#everyPlayer.every(areAnswered) && this.#publishes.areAnswered,
    );
  }

  /** Everybody goes, and nothing stays behind. */
  async #endAll(idle: readonly number[]): Promise<void> {
    this.#trace?.("* everybody goes");
    for (const player of this.#everyPlayer) player.close();
    const { resumeWindowMs } = this.#plan.timing;
    const leaks = () => [
      ...this.#backbone.leaks(),
      ...this.#places.flatMap((place, i) => leaksOf(place, idle[i] ?? 0)),
    ];
    await this.#waitFor(resumeWindowMs + settleMs, () => leaks().length === 0);
    for (const leak of leaks()) this.#ledger.fault(leak);
    this.#trace?.("* the nodes close");
    for (const place of this.#places) place.stop();
    const processes = this.#places.flatMap(({ process }) => process ?? []);
    const leftovers = () => [
      ...this.#places.flatMap((place) => place.leftovers()),
      ...this.#backbone.leftovers(processes),
    ];
    await this.#waitFor(closeMs, () => leftovers().length === 0);
    for (const leftover of leftovers()) this.#ledger.fault(leftover);
    for (const breach of this.#backbone.breaches()) this.#ledger.fault(breach);
  }

  /** Waits until nothing is wrong any more, and otherwise says what is. */
  async #untilNone(withinMs: number, faults: () => readonly string[]): Promise<void> {
    if (await this.#waitFor(withinMs, () => faults().length === 0)) return;
    for (const fault of faults()) this.#ledger.fault(`after ${withinMs} ms ${fault}`);
  }

  async #until(what: string, withinMs: number, isSo: () => boolean): Promise<void> {
    if (!(await this.#waitFor(withinMs, isSo)))
      this.#ledger.fault(`it does not come to pass within ${withinMs} ms that ${what}`);
  }

  async #waitFor(withinMs: number, isSo: () => boolean): Promise<boolean> {
    const untilMs = this.#simulation.nowMs + withinMs;
    while (!isSo()) {
      if (this.#simulation.nowMs >= untilMs) return false;
      await this.#simulation.runUntil(this.#simulation.nowMs + this.#looks.between(...lookMs));
    }
    return true;
  }
}

function isNodeStep(step: Step): step is Step & NodeStep {
  return step.do === "drain-node" || step.do === "freeze-node" || step.do === "kill-node";
}

/** When the last of them is over. */
function endOf(steps: readonly Step[]): number {
  return Math.max(0, ...steps.map((step) => step.atMs + durationOf(step)));
}

function durationOf(step: Step): number {
  return "forMs" in step ? step.forMs : "downMs" in step ? step.downMs : 0;
}

/** A step, for people. */
export function describe({ atMs: _, ...step }: Step): string {
  const { do: what, ...more } = step;
  return `${what} ${Object.entries(more)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}`;
}
