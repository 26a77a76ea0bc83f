import { createHmac } from "node:crypto";

export const appId = "bench";

/** The player of the member with this index. */
export function playerOf(member: number): string {
  return `member-${String(member).padStart(4, "0")}`;
}

/** A player's token (JWT, HS256) that is good for an hour. */
export function tokenOf(member: number, secret: string): string {
  const expiresAtS = Math.floor(Date.now() / 1000) + 3_600;
  const claims = { sub: playerOf(member), app: appId, iat: expiresAtS - 3_600, exp: expiresAtS };
  const signed = `${base64url({ alg: "HS256", typ: "JWT" })}.${base64url(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
