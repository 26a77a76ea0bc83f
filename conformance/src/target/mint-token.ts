import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import {
  type AppKeys,
  type SigningKey,
  type Token,
  TokenFault,
  type TokenSource,
} from "@fanfare/proto/conformance/v1alpha";
import { HarnessError } from "../run/failure.ts";
import { fixtureApps } from "./fixtures.ts";

/** A minted token and when it was good. */
export interface MintedToken {
  readonly text: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

const hourMs = 3_600_000;

/** Makes a player's token as a case describes it. @throws HarnessError when the target has no key for it */
export function mintToken(token: Token, player: string, source: TokenSource): MintedToken {
  const app = token.app || fixtureApps[0];
  const key = keyFor(source.apps[token.signedBy || app], token.algorithm || "HS256", token.signedBy || app);
  const issuedAtMs = Date.now();
  const expiresAtMs = issuedAtMs + (token.expiresInMs ?? hourMs);
  const claims: JsonObject = {
    sub: player,
    app,
    iat: Math.floor(issuedAtMs / 1000),
    exp: expiresAtMs / 1000,
    ...(token.groups.length > 0 ? { groups: token.groups } : {}),
    ...(token.caps.length > 0 ? { caps: token.caps } : {}),
    ...token.claims,
  };
  const header: JsonObject = {
    alg: key.algorithm,
    typ: "JWT",
    ...(key.id === "" ? {} : { kid: key.id }),
    ...token.header,
  };
  return { text: signed(header, withoutNulls(claims), key, token.fault), issuedAtMs, expiresAtMs };
}

function keyFor(keys: AppKeys | undefined, algorithm: string, app: string): SigningKey {
  const wanted = algorithm === "none" ? "HS256" : algorithm;
  const key = keys?.keys.find((one) => one.algorithm === wanted);
  if (key === undefined) throw new HarnessError(`the target has no ${wanted} key for the app ${app}`);
  return key;
}

function signed(header: JsonObject, claims: JsonObject, key: SigningKey, fault: TokenFault): string {
  if (fault === TokenFault.OWN_KEY) return signedByOwnKey(header, claims);
  if (fault === TokenFault.CONFUSED) return signedByPublicKey(header, claims, key);
  const head = fault === TokenFault.UNSIGNED ? { ...header, alg: "none" } : header;
  const text = signingInput(head, claims);
  if (fault === TokenFault.UNSIGNED) return `${text}.`;
  const signature = signatureOf(text, key);
  if (fault === TokenFault.SIGNATURE) signature[0] = (signature[0] ?? 0) ^ 1;
  const sent =
    fault === TokenFault.CLAIMS ? signingInput(head, { ...claims, sub: `${String(claims.sub)}-other` }) : text;
  return `${sent}.${signature.toString("base64url")}`;
}

/** The header brings the key that verifies the signature along. */
function signedByOwnKey(header: JsonObject, claims: JsonObject): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = publicKey.export({ format: "jwk" }) as JsonObject;
  const text = signingInput({ ...header, alg: "ES256", jwk }, claims);
  return `${text}.${sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** HS256 with the text of a public key as secret, which fools a verifier that lets the token choose the algorithm. */
function signedByPublicKey(header: JsonObject, claims: JsonObject, key: SigningKey): string {
  const secret = createPublicKey(privateKeyOf(key)).export({ type: "spki", format: "pem" });
  const text = signingInput({ ...header, alg: "HS256" }, claims);
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

function signatureOf(text: string, key: SigningKey): Buffer {
  const bytes = Buffer.from(text);
  if (key.material.case === "secret") return createHmac("sha256", key.material.value).update(bytes).digest();
  const privateKey = privateKeyOf(key);
  if (key.algorithm === "EdDSA") return sign(null, bytes, privateKey);
  return sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
}

function privateKeyOf(key: SigningKey): KeyObject {
  if (key.material.case !== "privateKeyPem") throw new HarnessError(`the key ${key.id} has no private_key_pem`);
  return createPrivateKey(key.material.value);
}

function signingInput(header: JsonObject, claims: JsonObject): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
}

function withoutNulls(claims: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null));
}
