import type { ValkeyModel } from "../../../server/src/testing/valkey-model/valkey-model.ts";

/** Routes of channels that nobody has, in sentences: entries of incarnations that were not taken off, as its primaries have them. */
export function routesLeftIn(model: ValkeyModel): string[] {
  return hashesOf(model, ":route").flatMap(([key, hash]) =>
    [...hash]
      .filter(([, value]) => value.endsWith(" 0")) // it was not removed
      .map(([incarnation]) => `${key} still has the route of ${incarnation}`),
  );
}

/** Nodes that are registered although all have gone in order, in sentences. */
export function nodesLeftIn(model: ValkeyModel): string[] {
  return hashesOf(model, ":registry").flatMap(([key, hash]) =>
    [...hash.keys()].map((incarnation) => `${key} still has the node ${incarnation}`),
  );
}

function hashesOf(model: ValkeyModel, suffix: string): [string, ReadonlyMap<string, string>][] {
  const all = new Map<string, ReadonlyMap<string, string>>();
  for (let shard = 0; shard < model.shardCount; shard++) {
    const { database } = model.primary(shard);
    for (const key of database.keys) {
      const value = key.endsWith(suffix) && model.shardOfKey(key) === shard ? database.get(key) : undefined;
      if (value instanceof Map) all.set(key, value);
    }
  }
  return [...all];
}
