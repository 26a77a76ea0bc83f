import type { Mark } from "./reply-mark.ts";
import type { Reply } from "./valkey-client.ts";

/** Replicas that have confirmed at least an offset, from `ROLE`; undefined if the node is no primary. */
export function replicasOf(role: Reply | undefined, leastOffset = 0): number | undefined {
  if (!Array.isArray(role) || String(role[0]) !== "master") return undefined;
  const replicas = role[2] as readonly (readonly Reply[])[];
  return leastOffset === 0 ? replicas.length : replicas.filter(([, , offset]) => Number(offset) >= leastOffset).length;
}

/** How far a primary has written, from `ROLE`; 0 if the node is none. */
export function primaryOffset(role: Reply | undefined): number {
  return Array.isArray(role) && String(role[0]) === "master" ? Number(role[1]) : 0;
}

/** Who holds what was written at one node before a moment. */
export interface WriteProof {
  /** Undefined: a replica is there and did not answer in time. */
  readonly acknowledged: "replica" | "primary" | undefined;
  /** Whether it speaks for the write that was answered under a mark. */
  covers(mark: Mark): boolean;
}

/**
 * What a group of commands proves that ended with a WAIT, unless none was sent, and then a mark and `ROLE`, all at one node.
 * @param replicas as `ROLE` tells; undefined if the node is no primary any more
 */
export function proofOf(
  waitReply: Reply | undefined,
  replicas: number | undefined,
  here: Mark | undefined,
): WriteProof {
  const isReplicated = typeof waitReply === "number" && waitReply > 0;
  const isProof = isReplicated || replicas === 0 || typeof waitReply === "number";
  return {
    acknowledged: isReplicated ? "replica" : replicas === 0 ? "primary" : undefined,
    covers: ({ node, run, number }) =>
      isProof && here !== undefined && node === here.node && run === here.run && number < here.number,
  };
}
