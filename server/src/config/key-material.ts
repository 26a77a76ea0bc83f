import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { type PlayerAuth, type PlayerKey, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { ConfigError } from "./config-error.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How players' tokens of one app are verified. */
export interface ResolvedPlayerAuth {
  readonly keys: readonly ResolvedPlayerKey[];
  readonly jwksUrl: string | undefined;
  /** Demanded `iss`; undefined: not checked. */
  readonly issuer: string | undefined;
  /** Demanded `aud`; undefined: not checked. */
  readonly audience: string | undefined;
  readonly leewayS: number;
}

/** One key for players' tokens, with the one algorithm it is used with. */
export interface ResolvedPlayerKey {
  /** The `kid`; empty: for tokens without one. */
  readonly id: string;
  readonly algorithm: PlayerAlgorithm;
  readonly key: KeyObject;
}

/** Names of algorithms as in a token's header. */
export type PlayerAlgorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

type Material =
  | { case: "secret" | "publicKeyPem" | "environment"; value: string }
  | { case: undefined; value?: undefined };

const algorithms: Record<TokenAlgorithm, PlayerAlgorithm | undefined> = {
  [TokenAlgorithm.UNSPECIFIED]: undefined,
  [TokenAlgorithm.HS256]: "HS256",
  [TokenAlgorithm.RS256]: "RS256",
  [TokenAlgorithm.ES256]: "ES256",
  [TokenAlgorithm.EDDSA]: "EdDSA",
};

/**
 * Reads the keys of an app from the configuration and the environment.
 * @throws ConfigError if material is missing or does not fit its algorithm
 */
export function resolvePlayerAuth(
  auth: PlayerAuth | undefined,
  path: string,
  environment: Environment,
): ResolvedPlayerAuth {
  const keys = (auth?.keys ?? []).map((key, i) => resolvePlayerKey(key, `${path}.keys[${i}]`, environment));
  return Object.freeze({
    keys: Object.freeze(keys),
    jwksUrl: auth?.jwksUrl || undefined,
    issuer: auth?.issuer || undefined,
    audience: auth?.audience || undefined,
    leewayS: auth?.leewayS ?? 5,
  });
}

/**
 * The text of a secret or key, from the configuration or the environment; at least 32 bytes.
 * @throws ConfigError if the variable is not set, or too short
 */
export function secretOf(material: Material, path: string, environment: Environment): string {
  if (material.case !== "environment") return material.value ?? "";
  const at = `${path}.environment`;
  const value = environment[material.value];
  if (value === undefined || value === "") {
    throw new ConfigError({
      field: at,
      problem: `names the environment variable ${material.value}, which is not set`,
      remedy: "set it before the server starts",
    });
  }
  if (Buffer.byteLength(value) < 32) {
    throw new ConfigError({
      field: at,
      problem: `names the environment variable ${material.value}, whose value is shorter than 32 bytes`,
      remedy: "make a longer one, for instance with `openssl rand -hex 32`",
    });
  }
  return value;
}

function resolvePlayerKey(key: PlayerKey, path: string, environment: Environment): ResolvedPlayerKey {
  const algorithm = algorithms[key.algorithm];
  if (algorithm === undefined) {
    throw new ConfigError({
      field: `${path}.algorithm`,
      problem: "is not set",
      remedy: "name one, for instance TOKEN_ALGORITHM_ES256",
    });
  }
  const secret = key.material.case === "environment" ? "environment" : key.material.case === "secret";
  if (secret !== "environment" && secret !== (algorithm === "HS256")) {
    throw new ConfigError({
      field: `${path}.${secret ? "secret" : "public_key_pem"}`,
      problem: `does not fit the algorithm ${algorithm}`,
      remedy: algorithm === "HS256" ? "give a `secret`" : "give a `public_key_pem`",
    });
  }
  const text = secretOf(key.material, path, environment);
  const keyObject = algorithm === "HS256" ? createSecretKey(text, "utf8") : publicKey(text, algorithm, key, path);
  return Object.freeze({ id: key.id, algorithm, key: keyObject });
}

function publicKey(pem: string, algorithm: PlayerAlgorithm, { material }: PlayerKey, path: string): KeyObject {
  const field = `${path}.${material.case === "environment" ? "environment" : "public_key_pem"}`;
  if (pem.includes("PRIVATE KEY")) {
    throw new ConfigError({
      field,
      problem: "holds a private key",
      remedy: "give the server the public key alone, and replace the private one, which has been in the wrong place",
    });
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new ConfigError({ field, problem: "is no public key in PEM", remedy: "" }, { cause });
  }
  const wrong = unfit(key, algorithm);
  if (wrong !== undefined) {
    throw new ConfigError({ field, problem: wrong, remedy: `give a key for ${algorithm}, or change \`algorithm\`` });
  }
  return key;
}

/** Why a public key cannot be used with an algorithm; undefined if it can. */
export function unfit(key: KeyObject, algorithm: PlayerAlgorithm): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (algorithm) {
    case "HS256":
      return key.type === "secret" ? undefined : "is no secret";
    case "RS256":
      if (type !== "rsa") return `is a key of type ${type}, not RSA`;
      return (details?.modulusLength ?? 0) >= 2048 ? undefined : "is an RSA key of less than 2048 bits";
    case "ES256":
      return type === "ec" && details?.namedCurve === "prime256v1" ? undefined : "is no key on the curve P-256";
    case "EdDSA":
      return type === "ed25519" ? undefined : `is a key of type ${type}, not Ed25519`;
  }
}
