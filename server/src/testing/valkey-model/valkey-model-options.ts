import type { Simulation } from "../simulation/simulation.ts";
import type { ModelReply } from "./reply.ts";

/** Ways in which the servers of a model are broken on purpose, so that checks can be seen to fail. */
export interface Tampering {
  /** Answers a command in the place of the server; undefined: the server does. */
  readonly answer?: (
    command: readonly string[],
    carryOut: (command: readonly string[]) => ModelReply,
  ) => ModelReply | undefined;
  /** WAIT answers at once that all replicas have it. */
  readonly waitLies?: boolean;
}

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
  /** Default: none. */
  readonly tampering?: Tampering | undefined;
}

/** How long it takes at most until a server hears of a change of its cluster, in milliseconds. */
export const maxGossipMs = 300;
/** How long a replica takes at most to be in sync, in milliseconds. */
export const maxSyncMs = 800;
/** How often it is looked whether a primary can be replaced, in milliseconds. */
export const electionLookMs = 250;
/** How long a primary that was in a minority waits at least before it takes writes again (`CLUSTER_MIN_REJOIN_DELAY` in Valkey's `cluster_legacy.c`). */
export const minRejoinMs = 500;
/** How long it waits at most (`CLUSTER_MAX_REJOIN_DELAY`). Between the two, for the node timeout. */
export const maxRejoinMs = 5000;
