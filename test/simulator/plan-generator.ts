import { clusterRevision } from "../../server/src/router/cluster/cluster.ts";
import { Random } from "../../server/src/testing/random.ts";
import { outputBufferFor } from "./node-links.ts";
import {
  type BackendStep,
  durableGroups,
  liveGroups,
  memberGroups,
  type NodeStep,
  type Plan,
  type PlayerStep,
  presenceGroup,
  roomyQueueBytes,
  type Setting,
  type Step,
  type ValkeyStep,
} from "./plan.ts";

/** Percent of the runs in which nothing goes wrong, in which only what is planned happens to nodes and Valkey, and in which only connections are lost. */
const quietShare = 10;
const plannedShare = 15;
const cutShare = 10;
/** Between two such things, in milliseconds. */
const plannedPauseMs = 8_000;

/** The plan of a seed. */
export function planOf(seed: number, settings: readonly Setting[]): Plan {
  const random = Random.named(seed, "plan");
  const setting = random.pick(settings);
  const nodes = setting === "embedded" ? 1 : 1 + random.below(3);
  const players = 2 + random.below(4);
  const lengthMs = random.between(3_000, 12_000);
  const timing = {
    heartbeatIntervalMs: random.pick([1_000, 2_000, 5_000]),
    heartbeatTimeoutMs: random.pick([1_000, 3_000]),
    resumeWindowMs: random.pick([0, 3_000, 8_000]),
  };
  const draw = new StepGenerator(random, players, nodes, setting);
  const steps: Step[] = [];
  for (let player = 0; player < players; player++) {
    const atMs = random.between(0, 500);
    steps.push({ atMs, do: "connect", player });
    for (const group of [...liveGroups, ...durableGroups]) {
      if (random.chance(0.7)) steps.push({ atMs: atMs + random.between(1, 1500), do: "join", player, group });
    }
  }
  const count = 20 + random.below(60);
  for (let i = 0; i < count; i++) steps.push({ atMs: random.between(0, lengthMs), ...draw.playerStep() });
  steps.push(...ofBackend(Random.named(seed, "backend"), players, nodes, lengthMs));
  steps.push(...ofPublishes(Random.named(seed, "backend publishes"), players, nodes, lengthMs));
  steps.push(...ofSettings(Random.named(seed, "settings"), nodes, lengthMs));
  steps.push(...ofClears(Random.named(seed, "clears"), players, nodes, lengthMs));
  steps.push(...ofReaders(Random.named(seed, "readers"), players, lengthMs));
  const mood = random.below(100);
  const areCut = mood >= 100 - cutShare;
  if (areCut) {
    const cuts = 2 + random.below(7);
    for (let i = 0; i < cuts; i++) steps.push({ atMs: random.between(1_000, lengthMs), ...draw.cut() });
  } else if (mood >= quietShare + plannedShare) {
    const faults = 1 + random.below(4);
    for (let i = 0; i < faults; i++) steps.push({ atMs: random.between(1_000, lengthMs), ...draw.fault() });
  } else if (mood >= quietShare) {
    // One after the other, as whoever plans it does.
    for (let atMs = random.between(1_000, 3_000); atMs < lengthMs; atMs += plannedPauseMs) {
      steps.push({ atMs, ...draw.planned() });
    }
  }
  // Where nothing goes wrong nobody is too slow, and nothing is too much.
  const isCalm = mood < quietShare + plannedShare || areCut;
  const linkBounds = isCalm ? "roomy" : random.pick(["roomy", "tight"] as const);
  if (linkBounds === "tight") steps.push(...steps.flatMap((step) => draw.floods(step)));
  steps.sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    setting,
    nodes,
    players,
    timing,
    sendQueueBytes: isCalm ? roomyQueueBytes : random.pick([65_536, 65_536, roomyQueueBytes]),
    linkBounds,
    // As links count on, or much too few.
    outputBufferBytes: random.chance(0.6) ? outputBufferFor(linkBounds) : 40_000,
    lanes: random.pick([3, 4, 6]),
    sharedPeers: Random.named(seed, "shared lane").pick([1, 1, 2, 3]),
    revisions: ofReleases(Random.named(seed, "releases"), nodes),
    replicationDelayMs: random.pick([0.5, 5, 50]),
    maxMessages: random.pick([5, 1000, 1000]),
    steps,
  };
}

/** As a rule one; else nodes of two releases, which take each other's places: a deploy, or one that is taken back. */
function ofReleases(random: Random, nodes: number): number[] {
  const isMixed = nodes > 1 && random.chance(0.25);
  return isMixed ? Array.from({ length: 3 * nodes }, () => clusterRevision - random.below(2)) : [clusterRevision];
}

/** What a backend does, and players do with it. Who was sent away comes back, as a rule. */
function ofBackend(random: Random, players: number, nodes: number, lengthMs: number): Step[] {
  const count = random.below(12);
  return Array.from({ length: count }, (): Step[] => {
    const atMs = random.between(500, lengthMs);
    const of = { node: random.below(nodes), target: random.below(players) };
    const kind = random.below(100);
    const group = random.pick(memberGroups);
    const step = (what: BackendStep | PlayerStep): Step => ({ atMs, ...what });
    if (kind < 30) return [step({ do: "add-member", ...of, group })];
    if (kind < 45) return [step({ do: "remove-member", ...of, group })];
    if (kind < 60) return [step({ do: "call", ...of })];
    if (kind < 75) return [step({ do: "show", player: of.target, group: presenceGroup })];
    if (kind < 90) {
      const more = { to: group, count: 1 + random.below(3), size: 0, excludeSelf: false };
      return [step({ do: "publish", player: of.target, ...more })];
    }
    const back: Step = { atMs: atMs + random.between(50, 6_000), do: "connect", player: of.target };
    if (kind < 97) return [step({ do: "kick", ...of }), back];
    return [step({ do: "ban", ...of, forMs: 1_000 + random.below(4_000) }), back];
  }).flat();
}

/** What a backend publishes: in a third of the runs nothing. */
function ofPublishes(random: Random, players: number, nodes: number, lengthMs: number): Step[] {
  const count = random.chance(0.33) ? 0 : 1 + random.below(10);
  return Array.from({ length: count }, () => {
    const live = [...liveGroups, ...memberGroups, "broadcast", `player/p${random.below(players)}`];
    const to = random.pick(random.chance(0.5) ? live : durableGroups);
    const size = random.chance(0.9) ? 0 : random.below(16_000);
    return { atMs: random.between(500, lengthMs), do: "announce", node: random.below(nodes), to, size };
  });
}

/** What a backend sets at run time: in half of the runs nothing. */
function ofSettings(random: Random, nodes: number, lengthMs: number): Step[] {
  const count = random.chance(0.5) ? 0 : 1 + random.below(4);
  return Array.from({ length: count }, (_, i) => {
    return { atMs: random.between(500, lengthMs), do: "set-rules", node: random.below(nodes), maxRewind: 1 + i };
  });
}

/** Logs that a backend clears, in a fifth of the runs: of what is published meanwhile some comes to be before it and some behind it. */
function ofClears(random: Random, players: number, nodes: number, lengthMs: number): Step[] {
  const count = random.chance(0.8) ? 0 : 1 + random.below(3);
  return Array.from({ length: count }, (): Step[] => {
    const atMs = random.between(1_000, lengthMs);
    const group = random.pick(durableGroups);
    const publishes = Array.from({ length: random.below(4) }, (): Step => {
      const of = { player: random.below(players), to: group, count: 1 + random.below(4), size: 0, excludeSelf: false };
      return { atMs: atMs + random.between(-10, 20), do: "publish", ...of };
    });
    return [{ atMs, do: "clear", node: random.below(nodes), group }, ...publishes];
  }).flat();
}

/** What players do with logs beside reading what comes: some go on another time where they have stored that they were. */
function ofReaders(random: Random, players: number, lengthMs: number): Step[] {
  const count = random.chance(0.4) ? 0 : 1 + random.below(8);
  return Array.from({ length: count }, (): Step[] => {
    const atMs = random.between(500, lengthMs);
    const of = { player: random.below(players), group: random.pick(durableGroups) };
    if (random.chance(0.4)) {
      return [{ atMs, do: "look-back", ...of, isForward: random.chance(0.5), limit: 1 + random.below(20) }];
    }
    const leaveMs = atMs + random.between(0, 2_000);
    const back: Step[] = [
      { atMs: leaveMs, do: "leave", ...of },
      { atMs: leaveMs + random.between(10, 2_000), do: "join", ...of },
    ];
    return [{ atMs, do: "commit", ...of }, ...(random.chance(0.6) ? back : [])];
  }).flat();
}

/** Draws steps for so many players and nodes. */
class StepGenerator {
  readonly #random: Random;
  readonly #players: number;
  readonly #nodes: number;
  readonly #setting: Setting;

  constructor(random: Random, players: number, nodes: number, setting: Setting) {
    this.#random = random;
    this.#players = players;
    this.#nodes = nodes;
    this.#setting = setting;
  }

  /** What a player does of its own will. */
  playerStep(): PlayerStep {
    const random = this.#random;
    const player = random.below(this.#players);
    const kind = random.below(100);
    if (kind < 65) return this.#publish(player, "publish");
    if (kind < 78) return this.#publish(player, "send");
    if (kind < 88) return { do: "join", player, group: this.#group() };
    if (kind < 93) return { do: "leave", player, group: this.#group() };
    if (kind < 95) return { do: "close", player };
    return { do: "connect", player };
  }

  /** What is done on purpose, by an operator. */
  planned(): NodeStep | ValkeyStep {
    const random = this.#random;
    const shard = random.below(3);
    if (this.#setting === "valkey-cluster" && random.chance(0.5)) {
      if (random.chance(0.5)) return { do: "fail-over", shard };
      return { do: "migrate", group: random.pick(durableGroups), shard, forMs: 50 + random.below(2_000) };
    }
    const node = random.below(this.#nodes);
    return { do: "drain-node", node, windowMs: random.below(1_000), deadlineMs: 3_000 + random.below(1_000) };
  }

  /** Somebody's connection is lost. */
  cut(player = this.#random.below(this.#players)): PlayerStep {
    return { do: "cut", player, isTold: this.#random.chance(0.7) };
  }

  /** What happens to players, nodes and Valkey. */
  fault(): PlayerStep | NodeStep | ValkeyStep {
    const random = this.#random;
    if (this.#setting !== "embedded" && random.chance(0.6)) return this.#ofValkey();
    const player = random.below(this.#players);
    const node = random.below(this.#nodes);
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        return this.cut(player);
      case 3:
        return { do: "stop-reading", player, forMs: 500 + random.below(15_000) };
      case 4:
        return { do: "freeze-player", player, forMs: 500 + random.below(15_000) };
      case 5:
        return { do: "freeze-node", node, forMs: 100 + random.below(8_000) };
      case 6:
        return { do: "kill-node", node, isTold: random.chance(0.7), downMs: 100 + random.below(5_000) };
      default:
        return { do: "drain-node", node, windowMs: random.below(2_000), deadlineMs: 2_000 + random.below(3_000) };
    }
  }

  /** So much for a node that does not read at the time that its queues are full. */
  floods(fault: Step): Step[] {
    const random = this.#random;
    const isDeaf = fault.do === "freeze-node" || fault.do === "partition" || fault.do === "delay-published";
    if (!isDeaf || random.chance(0.3)) return [];
    return Array.from({ length: 1 + random.below(3) }, () => {
      const atMs = fault.atMs + random.between(10, fault.forMs);
      const player = random.below(this.#players);
      const to = random.pick(["broadcast", "broadcast", ...liveGroups, ...durableGroups]);
      return { atMs, do: "publish", player, to, count: 40, size: 14_000, excludeSelf: false };
    });
  }

  #ofValkey(): ValkeyStep {
    const random = this.#random;
    const shard = random.below(3);
    if (this.#setting !== "valkey-cluster") {
      const kind = random.below(7);
      if (kind === 0)
        return { do: "kill-primary", shard, downMs: 200 + random.below(6_000), keepsData: random.chance(0.8) };
      if (kind === 1) return { do: "freeze-primary", shard, forMs: 100 + random.below(5_000) };
      if (kind === 2) return this.#partition(-1);
      if (kind === 3) return { do: "freeze-replica", shard, forMs: 100 + random.below(8_000) };
      if (kind === 4)
        return { do: "kill-replica", shard, downMs: 1_000 + random.below(8_000), keepsData: random.chance(0.5) };
      return this.#ofPublished();
    }
    switch (random.below(11)) {
      case 0:
      case 1:
        return { do: "kill-primary", shard, downMs: 8_000 + random.below(6_000), keepsData: random.chance(0.5) };
      case 2:
        return { do: "kill-replica", shard, downMs: 1_000 + random.below(8_000), keepsData: random.chance(0.5) };
      case 3:
        return { do: "freeze-primary", shard, forMs: 100 + random.below(9_000) };
      case 4:
        return { do: "freeze-replica", shard, forMs: 100 + random.below(9_000) };
      case 5:
        return { do: "isolate-primary", shard, forMs: 100 + random.below(9_000) };
      case 6:
        return { do: "fail-over", shard };
      case 7:
        return { do: "migrate", group: random.pick(durableGroups), shard, forMs: 50 + random.below(3_000) };
      case 8:
        return this.#partition(random.below(4) - 1);
      default:
        return this.#ofPublished();
    }
  }

  #partition(shard: number): ValkeyStep {
    const random = this.#random;
    const [node, forMs] = [random.below(this.#nodes), 100 + random.below(10_000)];
    return { do: "partition", node, shard, forMs, keeps: random.chance(0.5) };
  }

  /** What happens to what is published to lanes. */
  #ofPublished(): ValkeyStep {
    const random = this.#random;
    const forMs = 100 + random.below(8_000);
    if (random.chance(0.5)) return { do: "lose-published", share: random.pick([0.05, 0.3, 0.9, 1]), forMs };
    return { do: "delay-published", delayMs: random.pick([20, 200, 1_000, 4_000]), forMs };
  }

  #publish(player: number, what: "publish" | "send"): PlayerStep {
    const random = this.#random;
    const count = random.chance(0.8) ? 1 : 1 + random.below(10);
    const size = random.chance(0.85) ? 0 : random.below(16_000);
    const live = [...liveGroups, "broadcast", `player/p${random.below(this.#players)}`];
    const to = what === "send" ? random.pick(live) : random.pick([...live, ...durableGroups, ...durableGroups]);
    const excludeSelf = random.chance(0.1);
    if (what === "send" && random.chance(0.3)) return { do: what, player, to, count, size, excludeSelf, conflate: "k" };
    return { do: what, player, to, count, size, excludeSelf };
  }

  #group(): string {
    return this.#random.pick([...liveGroups, ...durableGroups]);
  }
}
