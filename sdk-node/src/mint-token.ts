import { ErrorCode, FanfareError } from "@fanfare/sdk-core";
import { type CryptoKey, importPKCS8, type JWK, type KeyObject, SignJWT } from "jose";

/** Algorithms that servers verify. */
export type TokenAlgorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

/** What a player's token says, and what it is signed with. */
export interface MintTokenOptions {
  /** The app's id. */
  app: string;
  /** The player's id. */
  player: string;
  /** How long the token is good, in milliseconds; rounded up to seconds. Default: one hour. */
  lifetimeMs?: number | undefined;
  /** Groups of which the player is a member as long as the session lives by this token. Default: none. */
  groups?: readonly string[] | undefined;
  /** What the player may do beyond the namespaces' rules, as `<verb>:<pattern>`: `publish:chat:*`, `subscribe:match:42`. Default: nothing. */
  capabilities?: readonly string[] | undefined;
  /**
   * The secret of HS256 as text or bytes, or the private key of the others: as PEM (PKCS #8), JWK, KeyObject or CryptoKey.
   */
  key: string | Uint8Array | JWK | KeyObject | CryptoKey;
  /** Default: HS256. */
  algorithm?: TokenAlgorithm | undefined;
  /**
   * The key's id in the server's configuration. Default: none, which is right where the app has but one key and no key set, or where the key's id is empty. Give it
   * before a second key is added: from then on a server cannot know which of them is meant, and refuses tokens that do not say it.
   */
  keyId?: string | undefined;
  /** When the token begins, in milliseconds since 1970-01-01 UTC. Default: now. */
  nowMs?: number | undefined;
}

/** A player's token. */
export interface PlayerToken {
  /** The JWT. */
  readonly token: string;
  /** When it expires, in milliseconds since 1970-01-01 UTC. */
  readonly expiresAtMs: number;
}

/**
 * Mints a player's token. Done by the game's backend, when it knows who the player is: whoever has the key can be anybody. Rejects with
 * INVALID_ARGUMENT if a value or the key is of no use.
 */
export async function mintToken(options: MintTokenOptions): Promise<PlayerToken> {
  const { app, player, lifetimeMs = 3_600_000, groups, capabilities, key, algorithm = "HS256", keyId } = options;
  if (app === "" || player === "") throw invalid(app === "" ? "app" : "player", "has to be set");
  if (!(lifetimeMs > 0)) throw invalid("lifetimeMs", "has to be more than 0");
  const issuedAtS = Math.floor((options.nowMs ?? Date.now()) / 1000);
  const expiresAtS = issuedAtS + Math.ceil(lifetimeMs / 1000);
  const claims = { app, ...(groups && { groups }), ...(capabilities && { caps: capabilities }) };
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, typ: "JWT", ...(keyId !== undefined && { kid: keyId }) })
    .setSubject(player)
    .setIssuedAt(issuedAtS)
    .setExpirationTime(expiresAtS);
  try {
    return { token: await jwt.sign(await signingKey(key, algorithm)), expiresAtMs: expiresAtS * 1000 };
  } catch (thrown) {
    throw invalid("key", `is no key for ${algorithm}`, thrown);
  }
}

async function signingKey(key: MintTokenOptions["key"], algorithm: TokenAlgorithm) {
  if (typeof key !== "string") return key;
  return algorithm === "HS256" ? new TextEncoder().encode(key) : importPKCS8(key, algorithm);
}

function invalid(field: string, text: string, cause?: unknown): FanfareError {
  return new FanfareError(ErrorCode.INVALID_ARGUMENT, `${field} ${text}`, { field, cause });
}
