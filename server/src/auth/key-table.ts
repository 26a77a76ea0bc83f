import { createHash, timingSafeEqual } from "node:crypto";

/** A key that is kept as its SHA-256, 32 bytes. */
export interface HashedKey {
  readonly sha256: Uint8Array;
}

const MAX_KEY_LENGTH = 1024;

/** Keys by their hash. */
export class KeyTable<Key extends HashedKey> {
  readonly #byHash = new Map<string, Key>();

  add(key: Key): void {
    this.#byHash.set(hexOf(key.sha256), key);
  }

  /** The key with this hash, which whoever asks has from here. */
  get(sha256: Uint8Array): Key | undefined {
    return this.#byHash.get(hexOf(sha256));
  }

  deleteIf(isGone: (key: Key) => boolean): void {
    for (const [hash, key] of this.#byHash) if (isGone(key)) this.#byHash.delete(hash);
  }

  /**
   * What a key that somebody shows is. The look-up is by a hash that the caller cannot steer towards a stored one, so its timing tells nothing; the
   * hashes themselves are compared in constant time.
   */
  find(shown: string): Key | undefined {
    if (shown === "" || shown.length > MAX_KEY_LENGTH) return undefined;
    const hash = createHash("sha256").update(shown).digest();
    const found = this.get(hash);
    return found !== undefined && timingSafeEqual(hash, found.sha256) ? found : undefined;
  }
}

/** The key of an `Authorization: Bearer <key>` header; undefined if it has none. */
export function bearerKey(authorization: string | null): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}

function hexOf(hash: Uint8Array): string {
  return Buffer.from(hash).toString("hex");
}
