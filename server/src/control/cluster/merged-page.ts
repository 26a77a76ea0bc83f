import { type PageRequest, pageOf } from "../page.ts";

/** A page of one node. */
export interface NodePage<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/**
 * One page out of those of all nodes, each of the same size and from the same place, in the order of their keys: what is missing in a node's page is past
 * the end of the merged one.
 * @param combine makes one item of two with the same key; default: the first
 */
export function mergedPage<T>(
  list: string,
  pages: readonly NodePage<T>[],
  keyOf: (item: T) => string,
  { pageSize }: PageRequest,
  combine: (a: T, b: T) => T = (a) => a,
): { items: T[]; nextPageToken: string } {
  const byKey = new Map<string, T>();
  for (const { items } of pages) {
    for (const item of items) {
      const known = byKey.get(keyOf(item));
      byKey.set(keyOf(item), known === undefined ? item : combine(known, item));
    }
  }
  const { items, nextPageToken } = pageOf(list, byKey.values(), keyOf, { pageSize, pageToken: "" });
  if (nextPageToken !== "" || pages.every((page) => page.nextPageToken === ""))
    return { items: [...items], nextPageToken };
  // All that came fits, and a node has more: it goes on behind the last of a full page.
  const [full] = pages.filter((page) => page.nextPageToken !== "").map((page) => page.nextPageToken);
  return { items: [...items], nextPageToken: full ?? "" };
}
