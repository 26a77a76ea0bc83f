import { ReadPreference, type Valkey } from "@fanfare/proto/config/v1";
import type { ValkeyOptions } from "../valkey/valkey-options.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import type { Environment } from "./key-material.ts";

/** The Valkey that connects nodes, and keeps what must outlive them. What is undefined is as its user defaults it. */
export interface ResolvedValkey extends ValkeyOptions {
  /** Before every key and channel; the same in all nodes of a cluster. */
  readonly keyPrefix: string;
  /** PEM file of `certificateAuthorities`, read when the server starts. */
  readonly certificateAuthorityFile?: string;
  readonly laneTimeoutMs?: number;
  readonly lanes?: number;
  /** Other nodes from which on a message for all of them is published once. */
  readonly sharedPeers?: number;
  /** How long a change waits for a replica, in milliseconds; an append as long, or longer. */
  readonly waitTimeoutMs?: number;
  /** How long a change or a read is tried again, in milliseconds. */
  readonly callTimeoutMs?: number;
}

/** The first rule that the settings of Valkey break. */
export function valkeyProblem(valkey: Valkey | undefined): ConfigProblem | undefined {
  if (valkey === undefined) return undefined;
  const wrong = valkey.addresses.findIndex((text) => parseAddress(text) === undefined);
  if (wrong >= 0) {
    return {
      field: `valkey.addresses[${wrong}]`,
      problem: "is not host:port",
      remedy: "write for instance valkey.internal:6379 or [::1]:6379",
    };
  }
  if (valkey.username !== "" && valkey.passwordEnvironment === "") {
    return {
      field: "valkey.username",
      problem: "is set without a password",
      remedy: "name the variable that holds it in password_environment",
    };
  }
  if (valkey.certificateAuthorityFile !== "" && !valkey.tls) {
    return {
      field: "valkey.certificate_authority_file",
      problem: "is set without tls",
      remedy: "set tls, or remove it",
    };
  }
  return undefined;
}

/**
 * Fills in the defaults that the comments of `Valkey` name. The settings were checked.
 * @throws ConfigError if the variable of the password is not set
 */
export function resolveValkey(valkey: Valkey | undefined, environment: Environment): ResolvedValkey | undefined {
  if (valkey === undefined) return undefined;
  const password = passwordOf(valkey, environment);
  const { username } = valkey;
  return Object.freeze({
    addresses: Object.freeze(valkey.addresses.map((text) => Object.freeze(parseAddress(text)!))),
    cluster: valkey.cluster,
    tls: valkey.tls,
    ...(password !== undefined && { credentials: Object.freeze({ ...(username !== "" && { username }), password }) }),
    ...(valkey.requestTimeoutMs !== 0 && { requestTimeoutMs: valkey.requestTimeoutMs }),
    ...(valkey.connectTimeoutMs !== 0 && { connectTimeoutMs: valkey.connectTimeoutMs }),
    ...(valkey.laneTimeoutMs !== 0 && { laneTimeoutMs: valkey.laneTimeoutMs }),
    ...(valkey.lanes !== 0 && { lanes: valkey.lanes }),
    ...(valkey.sharedLanePeers !== 0 && { sharedPeers: valkey.sharedLanePeers }),
    ...(valkey.replicaTimeoutMs !== 0 && { waitTimeoutMs: valkey.replicaTimeoutMs }),
    ...(valkey.retryForMs !== 0 && { callTimeoutMs: valkey.retryForMs }),
    ...(valkey.certificateAuthorityFile !== "" && { certificateAuthorityFile: valkey.certificateAuthorityFile }),
    ...(valkey.readPreference === ReadPreference.REPLICA && { readsReplicas: true }),
    keyPrefix: valkey.keyPrefix || "fanfare",
  });
}

function passwordOf({ passwordEnvironment }: Valkey, environment: Environment): string | undefined {
  if (passwordEnvironment === "") return undefined;
  const password = environment[passwordEnvironment];
  if (password !== undefined && password !== "") return password;
  throw new ConfigError({
    field: "valkey.password_environment",
    problem: `names the environment variable ${passwordEnvironment}, which is not set`,
    remedy: "set it before the server starts",
  });
}

/** `host:port`, an IPv6 address in brackets. */
function parseAddress(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
