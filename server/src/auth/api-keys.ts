import type { ResolvedApiKey, ResolvedApp } from "../config/resolved-config.ts";
import { bearerKey, KeyTable } from "./key-table.ts";

/** Who calls the control API. */
export interface Caller {
  /** Empty: an operator, who is of no app. */
  readonly appId: string;
  readonly keyId: string;
  /** Numbers of `fanfare.config.v1.Scope`. */
  readonly scopes: ReadonlySet<number>;
  /** SHA-256 of the key, by which it is found again. Absent: another node has let it in. */
  readonly sha256?: Uint8Array;
}

/** The keys of the control API, of all apps; a key names its app. */
export class ApiKeys {
  readonly #table = new KeyTable<ResolvedApiKey & { readonly appId: string }>();

  readonly #listeners = new Set<(appId: string) => void>();

  constructor(apps: Iterable<ResolvedApp> = []) {
    for (const app of apps) this.set(app);
  }

  /** From now on an app has these keys, and no others. */
  set({ id, apiKeys }: Pick<ResolvedApp, "id" | "apiKeys">): void {
    this.delete(id);
    for (const key of apiKeys) this.#table.add({ ...key, appId: id });
    for (const listener of this.#listeners) listener(id);
  }

  /** Calls the listener whenever an app was given keys, which may be those it had. One that has none any more is gone, which others tell. */
  onChange(listener: (appId: string) => void): void {
    this.#listeners.add(listener);
  }

  /** What is known now of a caller that was let in before; undefined: its key was withdrawn. */
  again({ appId, sha256 }: Caller): Caller | undefined {
    const found = sha256 && this.#table.get(sha256);
    return found?.appId === appId ? callerBy(found) : undefined;
  }

  /** From now on an app has none. */
  delete(appId: string): void {
    this.#table.deleteIf((key) => key.appId === appId);
  }

  /** Whose key this is. */
  find(key: string): Caller | undefined {
    const found = this.#table.find(key);
    return found && callerBy(found);
  }

  /** The caller of an `Authorization: Bearer <key>` header; undefined if it is missing or the key unknown. */
  authenticate(authorization: string | null): Caller | undefined {
    const key = bearerKey(authorization);
    return key === undefined ? undefined : this.find(key);
  }
}

function callerBy({ appId, id, scopes, sha256 }: ResolvedApiKey & { readonly appId: string }): Caller {
  return { appId, keyId: id, scopes, sha256 };
}
