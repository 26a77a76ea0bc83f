import { createHmac, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { SigningKey, TokenSource } from "@fanfare/proto/conformance/v1alpha";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import { Refusal } from "./refusal.ts";

/** What a token says about its player. */
export interface Claims {
  readonly app: string;
  readonly player: string;
  readonly expiresAtMs: number;
  /** 0 where the token does not say it. */
  readonly issuedAtMs: number;
  readonly groups: readonly string[];
  readonly caps: readonly string[];
}

const playerId = /^[A-Za-z0-9_\-.:@/+=~]{1,128}$/;
const groupName = /^[A-Za-z0-9_\-.:@/+=~]{1,255}$/;
const verbs = ["subscribe", "publish", "presence"];
/** Verb and pattern: what is named, or the beginning of names with a `*` behind it. */
const capability = /^[^:]+:([A-Za-z0-9_\-.:@/+=~]+\*?|\*)$/;

/** Verifies a player's token. @throws Refusal UNAUTHENTICATED or TOKEN_EXPIRED */
export function verifyToken(token: string, source: TokenSource, breaks: Breaks): Claims {
  const parts = token.split(".");
  const [head = "", body = "", signature = ""] = parts;
  const header = jsonOf(head);
  const claims = jsonOf(body);
  if (parts.length !== 3 || header === undefined || claims === undefined) throw refused("it is no token");
  const { app, sub, exp, iat, groups = [], caps = [] } = claims;
  if (typeof app !== "string" || typeof sub !== "string" || !playerId.test(sub)) throw refused("it lacks a claim");
  if (typeof exp !== "number" && !breaks.has("token-without-exp")) throw refused("it lacks exp");
  if (!isListOf(groupName, groups) && !breaks.has("token-groups-unchecked"))
    throw refused("its groups are no list of groups");
  if (!isListOf(capability, caps) && !breaks.has("token-caps-unchecked")) throw refused("its caps are no capabilities");
  const owner = Object.keys(source.apps).find((name) => source.apps[name]?.keys.some((one) => one.id === header.kid));
  if (owner !== app && !breaks.has("token-of-another-app")) throw refused("its key is not of its app");
  const key = source.apps[owner ?? ""]?.keys.find((one) => one.id === header.kid);
  if (key === undefined) throw refused("its key is not known");
  if (!isSigned(`${head}.${body}`, signature, key, header, breaks))
    throw refused(breaks.has("errors-repeat-tokens") ? token : "its signature does not verify");
  if (Array.isArray(caps) && breaks.has("token-unknown-verb") && caps.some((one) => !verbs.includes(verbOf(one)))) {
    throw refused("a capability is not known");
  }
  const expiresAtMs = typeof exp === "number" ? exp * 1000 : Date.now() + 3_600_000;
  if (expiresAtMs <= Date.now() && !breaks.has("token-expired-accepted")) {
    throw new Refusal(ErrorCode.TOKEN_EXPIRED, "the token has expired");
  }
  const issuedAtMs = typeof iat === "number" ? iat * 1000 : 0;
  return { app, player: sub, expiresAtMs, issuedAtMs, groups: groups as string[], caps: caps as string[] };
}

function isSigned(
  text: string,
  signature: string,
  key: SigningKey,
  header: Record<string, unknown>,
  breaks: Breaks,
): boolean {
  if (breaks.has("token-signature-unchecked")) return true;
  if (breaks.has("token-none-accepted") && header.alg === "none") return true;
  const bytes = Buffer.from(signature, "base64url");
  if (breaks.has("token-brings-its-key") && header.jwk !== undefined) {
    return isVerified(text, bytes, createPublicKey({ key: header.jwk, format: "jwk" } as never), "ES256");
  }
  if (key.material.case === "secret") {
    return header.alg === "HS256" && createHmac("sha256", key.material.value).update(text).digest().equals(bytes);
  }
  const publicKey = createPublicKey(key.material.value ?? "");
  if (breaks.has("token-chooses-algorithm") && header.alg === "HS256") {
    const secret = publicKey.export({ type: "spki", format: "pem" });
    return createHmac("sha256", secret).update(text).digest().equals(bytes);
  }
  return header.alg === key.algorithm && isVerified(text, bytes, publicKey, key.algorithm);
}

function isVerified(text: string, signature: Buffer, key: KeyObject, algorithm: string): boolean {
  if (algorithm === "EdDSA") return verify(null, Buffer.from(text), key, signature);
  return verify("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, signature);
}

function jsonOf(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isListOf(form: RegExp, value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && form.test(one));
}

function verbOf(capability: unknown): string {
  return String(capability).split(":")[0] ?? "";
}

function refused(why: string): Refusal {
  return new Refusal(ErrorCode.UNAUTHENTICATED, `the token is refused: ${why}`);
}
