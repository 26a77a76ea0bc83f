import { SignJWT } from "jose";

/** What a development token says. */
export interface DevTokenOptions {
  appId: string;
  playerId: string;
  /** The secret of the app's HS256 key, and the key's id. */
  secret: string;
  keyId: string;
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs: number;
  /** How long it is good, in milliseconds. Default: 24 hours. */
  lifetimeMs?: number;
  groups?: readonly string[];
  capabilities?: readonly string[];
}

/** A development token, and when it expires. */
export interface DevToken {
  token: string;
  /** Milliseconds since 1970-01-01 UTC. */
  expiresAtMs: number;
}

/** Mints a player's token with the development secret (HS256). A game mints its tokens in its own backend. */
export async function mintDevToken(options: DevTokenOptions): Promise<DevToken> {
  const issuedAtS = Math.floor(options.nowMs / 1000);
  const expiresAtS = issuedAtS + Math.ceil((options.lifetimeMs ?? 24 * 60 * 60 * 1000) / 1000);
  const claims = {
    app: options.appId,
    ...(options.groups === undefined ? {} : { groups: options.groups }),
    ...(options.capabilities === undefined ? {} : { caps: options.capabilities }),
  };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", kid: options.keyId, typ: "JWT" })
    .setSubject(options.playerId)
    .setIssuedAt(issuedAtS)
    .setExpirationTime(expiresAtS)
    .sign(new TextEncoder().encode(options.secret));
  return { token, expiresAtMs: expiresAtS * 1000 };
}
