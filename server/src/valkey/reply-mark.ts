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

/** The mark in an answer of a function. Looked at with each of them: of the line, which can be long, only the second word is taken apart. */
export function markOf(reply: Reply | undefined): Mark {
  const line = String((Array.isArray(reply) ? reply[0] : reply) ?? "");
  const begin = line.indexOf(" ") + 1;
  const space = line.indexOf(" ", begin);
  const word = begin === 0 ? "" : line.slice(begin, space < 0 ? line.length : space);
  const [node = "", run = "", number] = word.split(":");
  return { node, run, number: Number(number) };
}
