import type { Reply } from "./valkey-client.ts";

/** A node of a Valkey cluster, as one of them sees it. */
export interface ClusterNode {
  readonly id: string;
  readonly isPrimary: boolean;
  /** Taken for dead, by all or by the one that tells. */
  readonly isFailing: boolean;
  /** Under which a primary claims its slots; of two claims the higher one counts. */
  readonly epoch: number;
  /** First and last slot of each range that it claims. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/** The cluster as one of its nodes sees it. */
export interface ClusterView {
  /** Id of the node that tells. */
  readonly by: string;
  readonly nodes: ReadonlyMap<string, ClusterNode>;
}

/**
 * `CLUSTER NODES`: a line a node, `<id> <address> <flags> <primary> <ping> <pong> <epoch> <link> <ranges ...>`. Ranges in brackets are slots on the
 * move; they belong to their source until they have arrived.
 */
export function parseClusterNodes(reply: Reply): ClusterView {
  const nodes = new Map<string, ClusterNode>();
  let by = "";
  for (const line of String(reply).split("\n")) {
    const [id = "", , flagText = "", , , , epoch, , ...ranges] = line.trim().split(" ");
    if (id === "") continue;
    const flags = flagText.split(",");
    if (flags.includes("myself")) by = id;
    nodes.set(id, {
      id,
      isPrimary: flags.includes("master"),
      isFailing: flags.includes("fail") || flags.includes("fail?"),
      epoch: Number(epoch),
      ranges: ranges.filter((range) => !range.startsWith("[")).map(parseRange),
    });
  }
  return { by, nodes };
}

function parseRange(text: string): readonly [number, number] {
  const [first, last = first] = text.split("-").map(Number);
  return [first as number, last as number];
}
