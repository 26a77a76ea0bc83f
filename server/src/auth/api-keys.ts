import { createHash, timingSafeEqual } from "node:crypto";
import type { ResolvedApiKey, ResolvedApp } from "../config/resolved-config.ts";

/** Who calls the control API. */
export interface Caller {
  readonly appId: string;
  readonly keyId: string;
  /** Numbers of `fanfare.config.v1.Scope`. */
  readonly scopes: ReadonlySet<number>;
}

const MAX_KEY_LENGTH = 1024;

/** The keys of the control API, of all apps. Kept as SHA-256; a key names its app. */
export class ApiKeys {
  readonly #byHash = new Map<string, { key: ResolvedApiKey; appId: string }>();

  constructor(apps: Iterable<ResolvedApp>) {
    for (const app of apps) {
      for (const key of app.apiKeys) this.#byHash.set(Buffer.from(key.sha256).toString("hex"), { key, appId: app.id });
    }
  }

  /**
   * Whose key this is. The look-up is by a hash that the caller cannot steer towards a stored one, so its timing tells nothing; the
   * hashes themselves are compared in constant time.
   */
  find(key: string): Caller | undefined {
    if (key === "" || key.length > MAX_KEY_LENGTH) return undefined;
    const hash = createHash("sha256").update(key).digest();
    const found = this.#byHash.get(hash.toString("hex"));
    if (found === undefined || !timingSafeEqual(hash, found.key.sha256)) return undefined;
    return { appId: found.appId, keyId: found.key.id, scopes: found.key.scopes };
  }

  /** The caller of an `Authorization: Bearer <key>` header; undefined if it is missing or the key unknown. */
  authenticate(authorization: string | null): Caller | undefined {
    const match = /^Bearer +(\S+) *$/i.exec(authorization ?? "");
    return match?.[1] === undefined ? undefined : this.find(match[1]);
  }
}
