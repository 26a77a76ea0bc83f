import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { type PlayerAlgorithm, unfit } from "../config/key-material.ts";

/** A key of a JSON Web Key Set, with the one algorithm it is used with. */
export interface FetchedKey {
  readonly algorithm: PlayerAlgorithm;
  readonly key: KeyObject;
}

/** The most keys that are read of a set; further ones are ignored. */
const MAX_KEYS = 64;

/**
 * The usable keys of a JSON Web Key Set, by key id. Keys without id, for encryption, of other kinds or too weak are left out, and
 * so are secrets: a published secret is none.
 * @throws TypeError if the value is no key set
 */
export function readKeySet(value: unknown): ReadonlyMap<string, FetchedKey> {
  const keys = (value as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new TypeError("the answer has no list named `keys`");
  const result = new Map<string, FetchedKey>();
  for (const jwk of keys.slice(0, MAX_KEYS)) {
    const id = (jwk as { kid?: unknown } | null)?.kid;
    if (typeof id !== "string" || id === "" || id.length > 128 || result.has(id)) continue;
    const key = readKey(jwk as JsonWebKey);
    if (key !== undefined) result.set(id, key);
  }
  return result;
}

function readKey(jwk: JsonWebKey): FetchedKey | undefined {
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined) return undefined;
  if (jwk.use !== undefined && jwk.use !== "sig") return undefined;
  if (jwk.alg !== undefined && jwk.alg !== algorithm && !(jwk.alg === "Ed25519" && algorithm === "EdDSA"))
    return undefined;
  try {
    const key = createPublicKey({ key: jwk, format: "jwk" });
    return unfit(key, algorithm) === undefined ? { algorithm, key } : undefined;
  } catch {
    return undefined; // one key that cannot be read does not make the others useless
  }
}

function algorithmOf({ kty, crv }: JsonWebKey): PlayerAlgorithm | undefined {
  if (kty === "RSA") return "RS256";
  if (kty === "EC" && crv === "P-256") return "ES256";
  return kty === "OKP" && crv === "Ed25519" ? "EdDSA" : undefined;
}
