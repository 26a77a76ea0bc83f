import type { ResolvedOperatorKey } from "../config/resolved-config.ts";
import { bearerKey, KeyTable } from "./key-table.ts";

/** The keys of whoever runs the servers; they are of no app. */
export class OperatorKeys {
  readonly #table = new KeyTable<ResolvedOperatorKey>();

  constructor(keys: Iterable<ResolvedOperatorKey>) {
    for (const key of keys) this.#table.add(key);
  }

  /** The name of the key of an `Authorization: Bearer <key>` header; undefined if it is missing or no operator's. */
  authenticate(authorization: string | null): string | undefined {
    const key = bearerKey(authorization);
    return key === undefined ? undefined : this.#table.find(key)?.id;
  }
}
