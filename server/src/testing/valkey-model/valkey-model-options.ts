import type { Simulation } from "../simulation/simulation.ts";

/** What a model is made of. */
export interface ValkeyModelOptions {
  readonly simulation: Simulation;
  /** Primaries of a cluster; 0: no cluster, one primary. */
  readonly shards: number;
  /** Replicas of each primary. */
  readonly replicas: number;
  /** How long a primary is missed before it is replaced, in milliseconds. Default: 2000. */
  readonly nodeTimeoutMs?: number;
  /** How late replicas are, about, in milliseconds. Default: 1. */
  readonly replicationDelayMs?: number;
  /** Bytes that wait for one subscriber, past which it is cut off. Default: 32 MiB. */
  readonly outputBufferBytes?: number;
  readonly trace: (line: string) => void;
  /** Told what the model's own code throws. */
  readonly onThrown: (reason: unknown) => void;
}
