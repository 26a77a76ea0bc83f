import type { Reply } from "./valkey-client.ts";

/** The line of words that a server-side function answers with, alone or as the first of an array. The second word is its mark. */
export function lineOf(reply: Reply): string[] {
  const line = Array.isArray(reply) ? reply[0] : reply;
  return String(line).split(" ");
}

/** Which run of which node answered, and its how many-th answer that was. */
export interface Mark {
  /** Id of the node, empty outside of a cluster. */
  readonly node: string;
  /** Begins anew with the process. */
  readonly run: string;
  readonly number: number;
}

/** The mark in an answer of a function. */
export function markOf(reply: Reply | undefined): Mark {
  const [node = "", run = "", number] = reply === undefined ? [] : (lineOf(reply)[1] ?? "").split(":");
  return { node, run, number: Number(number) };
}
