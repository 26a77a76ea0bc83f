import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type App, LogFormat, LogLevel, type ServerConfig } from "@fanfare/proto/config/v1";
import { checkConfig, checkLateApp } from "./check-config.ts";
import { type Environment, secretOf } from "./key-material.ts";
import { type ResolvedApp, resolveApp } from "./resolved-app.ts";
import { type ResolvedLimits, resolveLimits } from "./resolved-limits.ts";
import { type ResolvedTiming, resolveTiming } from "./resolved-timing.ts";
import { type ResolvedValkey, resolveValkey } from "./resolved-valkey.ts";

export type { ResolvedApiKey, ResolvedApp } from "./resolved-app.ts";
export type { ResolvedLimits } from "./resolved-limits.ts";
export type { ResolvedTiming } from "./resolved-timing.ts";

/** A configuration that was checked, with every default filled in. Immutable. */
export interface ResolvedConfig {
  /** Unique in the cluster; made of the host name and a random part unless configured. */
  readonly nodeId: string;
  readonly listen: ResolvedListen;
  /** By app id; at least one unless there are operator keys. */
  readonly apps: ReadonlyMap<string, ResolvedApp>;
  readonly timing: ResolvedTiming;
  readonly limits: ResolvedLimits;
  readonly observe: ResolvedObserve;
  /** Where durable channels and cursors are kept; undefined: in memory. */
  readonly valkey: ResolvedValkey | undefined;
  /** One or two; the first signs, all verify. */
  readonly clusterKeys: readonly ResolvedClusterKey[];
  /** Who may add and remove apps at run time. */
  readonly operatorKeys: readonly ResolvedOperatorKey[];
  readonly dev: boolean;
  /**
   * Checks an app that comes at run time as one of the configuration, and fills in every default.
   * @param others the other apps that came so
   * @throws ConfigError naming the field within the app
   */
  readonly resolveLateApp: (app: App, others: Iterable<App>) => ResolvedApp;
}

/** Where the node listens. */
export interface ResolvedListen {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly additional: readonly { readonly host: string; readonly port: number }[];
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Paths of PEM files; undefined: plain text. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined;
}

/** A key of whoever runs the servers. */
export interface ResolvedOperatorKey {
  readonly id: string;
  /** SHA-256 of the key, 32 bytes. */
  readonly sha256: Uint8Array;
}

/** A key that signs resume secrets. */
export interface ResolvedClusterKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** What the server tells about itself. */
export interface ResolvedObserve {
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "text" | "json";
  /** Serve /metrics on the main port. */
  readonly metrics: boolean;
}

/** What a resolved configuration takes from outside of the file. */
export interface ResolveOptions {
  /** Variables that keys and passwords name. Default: those of the process. */
  environment?: Environment;
  /** Decides the default log format. Default: whether standard output is a terminal. */
  isTerminal?: boolean;
  /** Default: the system's. */
  hostname?: string;
  /** Default: the system's. */
  randomBytes?: (length: number) => Uint8Array;
}

/**
 * Checks a configuration (bounds, then the rules between fields) and fills in every default.
 * @throws ConfigError naming the field, what is wrong and what to do
 */
export function resolveConfig(config: ServerConfig, options: ResolveOptions = {}): ResolvedConfig {
  const environment = options.environment ?? process.env;
  const random = options.randomBytes ?? randomBytes;
  checkConfig(config);
  const limits = resolveLimits(config.limits);
  const surroundings = { maxPayloadBytes: limits.maxPayloadBytes, dev: config.dev, environment };
  const apps = config.apps.map((app, i) => resolveApp(app, `apps[${i}].`, surroundings));
  return Object.freeze({
    nodeId: config.nodeId || generatedNodeId(options.hostname ?? hostname(), random),
    listen: resolveListen(config),
    apps: new Map(apps.map((app) => [app.id, app])),
    timing: resolveTiming(config.timing),
    limits,
    observe: Object.freeze({
      logLevel: levels[config.observe?.logLevel || LogLevel.INFO],
      logFormat: logFormatOf(config, options.isTerminal),
      metrics: !config.observe?.metricsDisabled,
    }),
    valkey: resolveValkey(config.valkey, environment),
    clusterKeys: resolveClusterKeys(config, environment, random),
    operatorKeys: Object.freeze(
      config.operatorKeys.map(({ id, sha256 }) => Object.freeze({ id, sha256: Buffer.from(sha256, "hex") })),
    ),
    dev: config.dev,
    resolveLateApp(app: App, others: Iterable<App>): ResolvedApp {
      checkLateApp(app, config, others);
      return resolveApp(app, "", surroundings);
    },
  });
}

const levels = {
  [LogLevel.UNSPECIFIED]: "info",
  [LogLevel.DEBUG]: "debug",
  [LogLevel.INFO]: "info",
  [LogLevel.WARN]: "warn",
  [LogLevel.ERROR]: "error",
} as const satisfies Record<LogLevel, ResolvedObserve["logLevel"]>;

function logFormatOf(config: ServerConfig, isTerminal = process.stdout.isTTY): ResolvedObserve["logFormat"] {
  const format = config.observe?.logFormat || (isTerminal ? LogFormat.TEXT : LogFormat.JSON);
  return format === LogFormat.TEXT ? "text" : "json";
}

function generatedNodeId(host: string, random: (length: number) => Uint8Array): string {
  const readable = host.replaceAll(/[^A-Za-z0-9_.-]/g, "-").slice(0, 48) || "node";
  return `${readable}-${Buffer.from(random(4)).toString("hex")}`;
}

function resolveListen({ listen }: ServerConfig): ResolvedListen {
  const additional = (listen?.additional ?? []).map(({ host, port }) =>
    Object.freeze({ host: host || "127.0.0.1", port }),
  );
  return Object.freeze({
    host: listen?.host || "127.0.0.1",
    port: listen?.port ?? 8080,
    additional: Object.freeze(additional),
    trustedProxies: Object.freeze([...(listen?.trustedProxies ?? [])]),
    tls: listen?.tls && Object.freeze({ certificateFile: listen.tls.certificateFile, keyFile: listen.tls.keyFile }),
  });
}

function resolveClusterKeys(
  config: ServerConfig,
  environment: Environment,
  random: (length: number) => Uint8Array,
): readonly ResolvedClusterKey[] {
  if (config.clusterKeys.length === 0) return Object.freeze([Object.freeze({ id: "random", secret: random(32) })]);
  return Object.freeze(
    config.clusterKeys.map(({ id, material }, i) =>
      Object.freeze({ id, secret: Buffer.from(secretOf(material, `cluster_keys[${i}]`, environment)) }),
    ),
  );
}
