/** Where the nodes of a run keep what they share. */
export type Setting = "embedded" | "valkey";

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
    }
  /** The connection is lost: told to both ends, or to neither. */
  | { readonly do: "cut"; readonly player: number; readonly isTold: boolean }
  /** The player's machine does not read what comes. */
  | { readonly do: "stop-reading"; readonly player: number; readonly forMs: number }
  /** The player's program stands still. */
  | { readonly do: "freeze-player"; readonly player: number; readonly forMs: number };

/** Something that is done to a node, or its successor in the same place. `node` counts from 0. */
export type NodeStep =
  /** It is replaced as in a rolling deploy: a new one takes its place when it has gone. */
  | { readonly do: "drain-node"; readonly node: number; readonly windowMs: number; readonly deadlineMs: number }
  | { readonly do: "freeze-node"; readonly node: number; readonly forMs: number }
  /** `isTold`: its peers' machines are told that its connections are gone. */
  | { readonly do: "kill-node"; readonly node: number; readonly isTold: boolean; readonly downMs: number };

/** What happens, and when. */
export type Step = { readonly atMs: number } & (PlayerStep | NodeStep);

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
  /** What the logs keep. */
  readonly maxMessages: number;
  /** In the order of their times. */
  readonly steps: readonly Step[];
}

/** The groups of a run by the class of their namespace. */
export const liveGroups = ["live:a", "live:b"];
export const durableGroups = ["log:a", "log:b"];

/** Whether a channel keeps its messages. */
export function isDurable(to: string): boolean {
  return to.startsWith("log:");
}
