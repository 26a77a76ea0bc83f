import type { ResolvedApiKey, ResolvedApp } from "../config/resolved-config.ts";
import { bearerKey, KeyTable } from "./key-table.ts";

/** Who calls the control API. */
export interface Caller {
  readonly appId: string;
  readonly keyId: string;
  /** Numbers of `fanfare.config.v1.Scope`. */
  readonly scopes: ReadonlySet<number>;
}

/** The keys of the control API, of all apps; a key names its app. */
export class ApiKeys {
  readonly #table = new KeyTable<ResolvedApiKey & { readonly appId: string }>();

  constructor(apps: Iterable<ResolvedApp> = []) {
    for (const app of apps) this.set(app);
  }

  /** From now on an app has these keys, and no others. */
  set({ id, apiKeys }: Pick<ResolvedApp, "id" | "apiKeys">): void {
    this.delete(id);
    for (const key of apiKeys) this.#table.add({ ...key, appId: id });
  }

  /** From now on an app has none. */
  delete(appId: string): void {
    this.#table.deleteIf((key) => key.appId === appId);
  }

  /** Whose key this is. */
  find(key: string): Caller | undefined {
    const found = this.#table.find(key);
    return found && { appId: found.appId, keyId: found.id, scopes: found.scopes };
  }

  /** The caller of an `Authorization: Bearer <key>` header; undefined if it is missing or the key unknown. */
  authenticate(authorization: string | null): Caller | undefined {
    const key = bearerKey(authorization);
    return key === undefined ? undefined : this.find(key);
  }
}
