import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { ResolvedClusterKey } from "../config/resolved-config.ts";

/** What a resume secret proves: that its bearer was given this session. */
export interface SessionIdentity {
  readonly appId: string;
  readonly playerId: string;
  readonly sessionId: string;
  /** 64 bits. */
  readonly origin: bigint;
}

/** Keeps this use of the cluster's keys apart from any other. */
const PURPOSE = "fanfare.resume.v1";
const MAX_LENGTH = 512;
/** Keeps the fingerprint of a key apart from any other hash of it. */
const FINGERPRINT = "fanfare.cluster-key.v1";

/**
 * Signs and verifies resume secrets: `<key id>.<identity>.<HMAC-SHA256>`, base64url, at most 512 visible characters. They prove identity
 * only and do not expire: whether the session still exists is the hub's to know, and a valid token is needed besides.
 */
export class ResumeSecrets {
  readonly #signing: ResolvedClusterKey;
  readonly #byId: ReadonlyMap<string, ResolvedClusterKey>;
  /** What tells each key from others, by which nodes see whether they have the same: the one that signs first. */
  readonly fingerprints: readonly number[];

  /** @param keys one or two; the first signs, all verify, so that a key can be replaced while its secrets are in use */
  constructor(keys: readonly ResolvedClusterKey[]) {
    const [first] = keys;
    if (first === undefined) throw new RangeError("at least one cluster key is needed");
    this.#signing = first;
    this.#byId = new Map(keys.map((key) => [key.id, key]));
    this.fingerprints = keys.map(fingerprint);
  }

  /** The secret of a session whose names keep the bounds of the protocol. */
  sign(identity: SessionIdentity): string {
    const { appId, playerId, sessionId, origin } = identity;
    const body = Buffer.from(JSON.stringify([appId, playerId, sessionId, origin.toString(16)])).toString("base64url");
    return `${this.#signing.id}.${body}.${mac(this.#signing, body).toString("base64url")}`;
  }

  /** Whose secret this is; undefined if no known key signed it. Takes the same time wherever a signature differs. */
  verify(secret: string): SessionIdentity | undefined {
    if (secret.length > MAX_LENGTH) return undefined;
    const signatureAt = secret.lastIndexOf(".");
    const bodyAt = secret.lastIndexOf(".", signatureAt - 1);
    if (bodyAt < 1) return undefined;
    const key = this.#byId.get(secret.slice(0, bodyAt));
    if (key === undefined) return undefined;
    const body = secret.slice(bodyAt + 1, signatureAt);
    const given = Buffer.from(secret.slice(signatureAt + 1), "base64url");
    const expected = mac(key, body);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return identityOf(body);
  }
}

/**
 * 32 bits of a hash of a key and its id, of which both have to agree for a secret to verify. Whoever reads them can test guesses by them, as whoever
 * has a resume secret can: that leads nowhere with a key that is not to be guessed.
 */
function fingerprint({ id, secret }: ResolvedClusterKey): number {
  return createHash("sha256").update(`${FINGERPRINT}\n${id}\n`).update(secret).digest().readUInt32BE();
}

function mac(key: ResolvedClusterKey, body: string): Buffer {
  return createHmac("sha256", key.secret).update(`${PURPOSE}\n${key.id}.${body}`).digest();
}

/** The body was signed by a key of ours, so it has the shape that {@link ResumeSecrets.sign} gives it. */
function identityOf(body: string): SessionIdentity {
  const parts = JSON.parse(Buffer.from(body, "base64url").toString()) as [string, string, string, string];
  return { appId: parts[0], playerId: parts[1], sessionId: parts[2], origin: BigInt(`0x${parts[3]}`) };
}
