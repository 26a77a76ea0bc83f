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

const noMark: Mark = { node: "", run: "", number: Number.NaN };

/** The mark in an answer of a function. Looked at with each of them, so it is cut out by hand. */
export function markOf(reply: Reply | undefined): Mark {
  if (reply === undefined) return noMark;
  const line = String(Array.isArray(reply) ? reply[0] : reply);
  const begin = line.indexOf(" ") + 1;
  const afterNode = line.indexOf(":", begin);
  const afterRun = line.indexOf(":", afterNode + 1);
  if (begin === 0 || afterNode < 0 || afterRun < 0) return noMark;
  const space = line.indexOf(" ", begin);
  const end = space < 0 ? line.length : space;
  if (afterRun > end) return noMark;
  return {
    node: line.slice(begin, afterNode),
    run: line.slice(afterNode + 1, afterRun),
    number: Number(line.slice(afterRun + 1, end)),
  };
}
