/** Where the nodes of a run keep what they share. */
export type Setting = "embedded" | "valkey" | "valkey-with-replica" | "valkey-cluster";

/** All of them. */
export const settings: readonly Setting[] = ["embedded", "valkey", "valkey-with-replica", "valkey-cluster"];

/** Something that is done to, or by, a player. `player` counts from 0. */
export type PlayerStep =
  | { readonly do: "connect" | "close"; readonly player: number }
  | { readonly do: "join" | "leave"; readonly player: number; readonly group: string }
  | {
      readonly do: "publish" | "send";
      readonly player: number;
      /** A group's name, `player/<number>` or `broadcast`. */
      readonly to: string;
      /** One after the other, at once. */
      readonly count: number;
      /** Bytes of each. */
      readonly size: number;
      readonly excludeSelf: boolean;
      /** Of a volatile message: it may be replaced by a newer one of the same key. */
      readonly conflate?: string;
    }
  /** Changes what others see of the player in the group. */
  | { readonly do: "show"; readonly player: number; readonly group: string }
  /** Stores how far the player has read. */
  | { readonly do: "commit"; readonly player: number; readonly group: string }
  /** Reads a page of the log, from one of its ends. */
  | {
      readonly do: "look-back";
      readonly player: number;
      readonly group: string;
      readonly isForward: boolean;
      readonly limit: number;
    }
  /** The connection is lost: told to both ends, or to neither. */
  | { readonly do: "cut"; readonly player: number; readonly isTold: boolean }
  /** The player's machine does not read what comes. */
  | { readonly do: "stop-reading"; readonly player: number; readonly forMs: number }
  /** The player's program stands still. */
  | { readonly do: "freeze-player"; readonly player: number; readonly forMs: number };

/** Something that the game's backend asks of a node, by the control API. `node` and `target`, the player, count from 0. */
export type BackendStep =
  | {
      readonly do: "add-member" | "remove-member";
      readonly node: number;
      readonly target: number;
      readonly group: string;
    }
  /** All sessions of the player end. */
  | { readonly do: "kick"; readonly node: number; readonly target: number }
  /** They end, and none begins for so long. */
  | { readonly do: "ban"; readonly node: number; readonly target: number; readonly forMs: number }
  /** Calls a method of the player's client. */
  | { readonly do: "call"; readonly node: number; readonly target: number }
  /** Throws away what a durable group keeps. */
  | { readonly do: "clear"; readonly node: number; readonly group: string }
  /** Gives the namespace {@link setNamespace} other rules. */
  | { readonly do: "set-rules"; readonly node: number; readonly maxRewind: number };

/** Something that the game's backend publishes at a node, by the control API, and tries again elsewhere. */
export interface BackendPublish {
  readonly do: "announce";
  readonly node: number;
  readonly to: string;
  readonly size: number;
}

/** Something that is done to a node, or its successor in the same place. `node` counts from 0. */
export type NodeStep =
  /** It is replaced as in a rolling deploy: a new one takes its place when it has gone. */
  | { readonly do: "drain-node"; readonly node: number; readonly windowMs: number; readonly deadlineMs: number }
  | { readonly do: "freeze-node"; readonly node: number; readonly forMs: number }
  /** `isTold`: its peers' machines are told that its connections are gone. */
  | { readonly do: "kill-node"; readonly node: number; readonly isTold: boolean; readonly downMs: number };

/** Something that is done to Valkey. `shard` counts from 0; outside of a cluster there is one. */
export type ValkeyStep =
  /** Killed, and started again later, with what it had or with nothing. */
  | {
      readonly do: "kill-primary" | "kill-replica";
      readonly shard: number;
      readonly downMs: number;
      readonly keepsData: boolean;
    }
  | { readonly do: "freeze-primary" | "freeze-replica"; readonly shard: number; readonly forMs: number }
  /** The primary is cut off from the other servers, and not from the nodes. */
  | { readonly do: "isolate-primary"; readonly shard: number; readonly forMs: number }
  /** A planned hand-over to the replica. */
  | { readonly do: "fail-over"; readonly shard: number }
  /** The slot of a durable channel moves to another shard. */
  | { readonly do: "migrate"; readonly group: string; readonly shard: number; readonly forMs: number }
  /** A node is cut off from the primary of a shard; `shard` -1: from all servers. `keeps`: what was published to it meanwhile arrives afterwards. */
  | {
      readonly do: "partition";
      readonly node: number;
      readonly shard: number;
      readonly forMs: number;
      readonly keeps: boolean;
    }
  /** What is published to lanes gets lost, or arrives up to so much later. */
  | { readonly do: "lose-published"; readonly share: number; readonly forMs: number }
  | { readonly do: "delay-published"; readonly delayMs: number; readonly forMs: number };

/** How much may wait on links between nodes: as configured by default, or so little that bounds are met in a run. */
export type LinkBounds = "roomy" | "tight";

/** Bytes in the queue of a connection that nothing in a run fills unless its client is slow. */
export const roomyQueueBytes = 1_048_576;

/** What happens, and when. */
export type Step = { readonly atMs: number } & (PlayerStep | BackendStep | BackendPublish | NodeStep | ValkeyStep);

/** Everything that a run depends on. The same plan makes the same run. */
export interface Plan {
  /** For what is drawn while it runs: latencies, identifiers, back-off. */
  readonly seed: number;
  readonly setting: Setting;
  readonly nodes: number;
  readonly players: number;
  readonly timing: {
    readonly heartbeatIntervalMs: number;
    readonly heartbeatTimeoutMs: number;
    readonly resumeWindowMs: number;
  };
  readonly sendQueueBytes: number;
  readonly linkBounds: LinkBounds;
  /** Bytes that a server of Valkey keeps for a subscriber that does not read, before it cuts it off. */
  readonly outputBufferBytes: number;
  /** Lanes of each node. Fewer than configured as a rule, because each is probed all the time. */
  readonly lanes: number;
  /** To how many other nodes at least something has to go for it to be published once, to all of them. */
  readonly sharedPeers: number;
  /** The newest revision of the cluster protocol that nodes speak: of each place, then of who takes its place, and so on; from the first again at the end. */
  readonly revisions: readonly number[];
  /** How late replicas of Valkey are, about, in milliseconds. */
  readonly replicationDelayMs: number;
  /** What the logs keep. */
  readonly maxMessages: number;
  /** In the order of their times. */
  readonly steps: readonly Step[];
}

/** The app of all runs. */
export const appId = "game";

/** The groups of a run by the class of their namespace. */
export const liveGroups = ["live:a", "live:b"];
export const durableGroups = ["log:a", "log:b"];
/** In this one of them players see each other. */
export const presenceGroup = "live:a";
/** Groups that players receive because a backend has made them members. */
export const memberGroups = ["team:a", "team:b"];

/** The rules of this one are set at run time, and nobody has its groups. */
export const setNamespace = "set";

const ofBackend: ReadonlySet<Step["do"]> = new Set([
  ...(["add-member", "remove-member", "kick", "ban", "call", "clear", "set-rules"] as const),
]);

/** Whether a step is a call of the backend that is not to publish. */
export function isBackendStep(step: Step): step is Step & BackendStep {
  return ofBackend.has(step.do);
}

/** Whether a step is something that happens to nodes or to Valkey. */
export function isOfServers(step: Step): boolean {
  return !("player" in step || isBackendStep(step) || step.do === "announce");
}

/** Whether a channel keeps its messages. */
export function isDurable(to: string): boolean {
  return to.startsWith("log:");
}
