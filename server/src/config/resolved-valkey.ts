import type { Valkey } from "@fanfare/proto/config/v1";
import type { ValkeyOptions } from "../valkey/valkey-options.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import type { Environment } from "./key-material.ts";

/** The Valkey that keeps what must outlive the node. */
export interface ResolvedValkey extends ValkeyOptions {
  /** Before every key; one node runs under it. */
  readonly keyPrefix: string;
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
