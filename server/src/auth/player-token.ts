import { create } from "@bufbuild/protobuf";
import { ChannelSchema, ErrorCode } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../clock.ts";
import type { PlayerAlgorithm } from "../config/key-material.ts";
import type { ResolvedApp } from "../config/resolved-config.ts";
import { FanfareError } from "../fanfare-error.ts";
import { type Capabilities, CapabilityError, parseCapabilities } from "../namespace/capabilities.ts";
import type { Log } from "../observe/log.ts";
import type { FetchedKey } from "./json-web-keys.ts";
import { KeySet } from "./key-set.ts";
import type { FetchKeySet } from "./key-set-fetch.ts";

/** What a player's token says, after it was verified. */
export interface VerifiedToken {
  readonly appId: string;
  readonly playerId: string;
  /** `exp`, in milliseconds since 1970-01-01 UTC. */
  readonly expiresAtMs: number;
  /** `iat`, in milliseconds since 1970-01-01 UTC; 0 if the token does not say. */
  readonly issuedAtMs: number;
  /** `jti`; empty if the token does not say. */
  readonly tokenId: string;
  /** Memberships as long as a session lives by this token. */
  readonly groups: readonly string[];
  readonly capabilities: Capabilities;
}

/** What a {@link PlayerTokenVerifier} needs. */
export interface PlayerTokenOptions {
  /** As they are now: looked at for every token. */
  apps: ReadonlyMap<string, ResolvedApp>;
  /** An app may have come without this node having heard of it: settles when `apps` has what there is now. Default: it always has. */
  lookAgain?: () => Promise<void>;
  clock: Pick<Clock, "nowMs" | "monotonicMs" | "setTimer">;
  fetch: FetchKeySet;
  log: Log;
}

/** As `Hello.token` allows. */
const MAX_TOKEN_LENGTH = 8192;
/** Nothing else can be an app. */
const isAppId = /^[A-Za-z0-9_.-]{1,64}$/;
/** The most groups of one token. */
export const MAX_GROUPS = 1000;
const channelViolation = validatorFor(ChannelSchema);

/**
 * Verifies players' tokens (JWT). The token's `app` claim and `kid` only choose among what is configured; the algorithm is that of the
 * chosen key, and keys or addresses inside a token are not looked at.
 */
export class PlayerTokenVerifier {
  readonly #options: PlayerTokenOptions;
  readonly #keySets = new Map<string, { url: string; keys: KeySet }>();

  constructor(options: PlayerTokenOptions) {
    this.#options = options;
  }

  /** An app is gone, and with it the keys that were fetched for it. */
  forget(appId: string): void {
    this.#keySets.delete(appId);
  }

  /**
   * Verifies a token.
   * @throws FanfareError UNAUTHENTICATED if it does not verify or a claim is missing or out of bounds, TOKEN_EXPIRED if it was
   * good, UNAVAILABLE if its key is at an address out of reach
   */
  async verify(token: string): Promise<VerifiedToken> {
    if (token.length > MAX_TOKEN_LENGTH) throw refused(`the token is longer than ${MAX_TOKEN_LENGTH} bytes`);
    const { appId, keyId } = unverified(token);
    const { apps, lookAgain } = this.#options;
    if (!apps.has(appId) && isAppId.test(appId)) await lookAgain?.();
    const app = apps.get(appId);
    if (app === undefined) throw refused("the token's `app` is not known here");
    const { algorithm, key } = await this.#keyFor(app, keyId);
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: headerNames[algorithm],
        requiredClaims: ["app", "sub", "exp"],
        clockTolerance: app.playerAuth.leewayS,
        currentDate: new Date(this.#options.clock.nowMs()),
        ...(app.playerAuth.issuer === undefined ? {} : { issuer: app.playerAuth.issuer }),
        ...(app.playerAuth.audience === undefined ? {} : { audience: app.playerAuth.audience }),
      });
      return readClaims(payload, app.id);
    } catch (cause) {
      throw translated(cause);
    }
  }

  async #keyFor({ id, playerAuth }: ResolvedApp, keyId: string | undefined): Promise<FetchedKey> {
    const { keys, jwksUrl } = playerAuth;
    const configured = keys.find((key) => key.id === (keyId ?? ""));
    if (configured !== undefined) return configured;
    if (keyId === undefined) {
      // There is nothing to choose among. Where there is, none is tried: which key a token is of would be a guess.
      const [only, ...others] = keys;
      if (only !== undefined && others.length === 0 && jwksUrl === undefined) return only;
      throw refused("the token names no `kid`, and the app's keys have ids");
    }
    const fetched = keyId === "" || jwksUrl === undefined ? undefined : await this.#keySetOf(id, jwksUrl).find(keyId);
    if (fetched === undefined) throw refused("the app has no key with the token's `kid`");
    return fetched;
  }

  #keySetOf(appId: string, url: string): KeySet {
    const known = this.#keySets.get(appId);
    if (known?.url === url) return known.keys;
    const { clock, fetch, log } = this.#options;
    const keys = new KeySet({ url, clock, fetch, log: log.child({ app: appId }) });
    this.#keySets.set(appId, { url, keys });
    return keys;
  }
}

/** As they stand in a token's `alg`. */
const headerNames: Record<PlayerAlgorithm, string[]> = {
  HS256: ["HS256"],
  RS256: ["RS256"],
  ES256: ["ES256"],
  EdDSA: ["EdDSA", "Ed25519"],
};

/** Which app and key a token claims to be of; to be believed only after that key has verified it. */
function unverified(token: string): { appId: string; keyId: string | undefined } {
  try {
    const { kid } = decodeProtectedHeader(token);
    const { app } = decodeJwt(token);
    const isName = kid === undefined || (typeof kid === "string" && kid.length <= 128);
    if (isName && typeof app === "string") return { appId: app, keyId: kid };
  } catch (cause) {
    throw refused("the token is no signed JWT", cause);
  }
  throw refused("the token has no `app`, or its `kid` is no name");
}

function readClaims(claims: JWTPayload, appId: string): VerifiedToken {
  const { sub, exp, iat = 0, jti = "", groups = [], caps = [] } = claims;
  if (claims.app !== appId) throw refused("the token is of another app");
  const expiresAtMs = Math.floor(Number(exp) * 1000);
  if (!Number.isSafeInteger(expiresAtMs)) throw refused("the token's `exp` is out of bounds");
  if (typeof iat !== "number" || iat < 0 || !Number.isSafeInteger(Math.floor(iat * 1000))) {
    throw refused("the token's `iat` is no time");
  }
  if (typeof jti !== "string" || jti.length > 128) throw refused("the token's `jti` is no text of at most 128 bytes");
  return {
    appId,
    playerId: named("player", sub, "`sub`"),
    expiresAtMs,
    issuedAtMs: Math.floor(iat * 1000),
    tokenId: jti,
    groups: readGroups(groups),
    capabilities: readCapabilities(caps),
  };
}

function readGroups(groups: unknown): readonly string[] {
  if (!Array.isArray(groups)) throw refused("the token's `groups` is no list");
  if (groups.length > MAX_GROUPS) throw refused(`the token has more than ${MAX_GROUPS} groups`);
  return [...new Set(groups.map((group, i) => named("group", group, `\`groups[${i}]\``)))];
}

function readCapabilities(caps: unknown): Capabilities {
  if (!Array.isArray(caps) || !caps.every((text) => typeof text === "string")) {
    throw refused("the token's `caps` is no list of texts");
  }
  try {
    return parseCapabilities(caps);
  } catch (cause) {
    if (cause instanceof CapabilityError) throw refused(`the token's \`caps\` are refused: ${cause.message}`, cause);
    throw cause;
  }
}

function named(kind: "player" | "group", value: unknown, claim: string): string {
  if (typeof value !== "string") throw refused(`the token's ${claim} is no text`);
  const violation = channelViolation(create(ChannelSchema, { kind: { case: kind, value } }));
  if (violation !== undefined) throw refused(`the token's ${claim} ${violation.message}`);
  return value;
}

function translated(cause: unknown): FanfareError {
  if (cause instanceof FanfareError) return cause;
  if (cause instanceof errors.JWTExpired) {
    return new FanfareError(ErrorCode.TOKEN_EXPIRED, "the token has expired; bring a newer one", { cause });
  }
  if (cause instanceof errors.JWTClaimValidationFailed)
    return refused(`the token's \`${cause.claim}\` is refused`, cause);
  if (cause instanceof errors.JOSEError) return refused("the token does not verify", cause);
  return FanfareError.from(cause);
}

function refused(message: string, cause?: unknown): FanfareError {
  return new FanfareError(ErrorCode.UNAUTHENTICATED, message, cause === undefined ? {} : { cause });
}
