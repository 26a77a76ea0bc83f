import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { create } from "@bufbuild/protobuf";
import {
  Access,
  type App,
  ChannelRulesSchema,
  LogFormat,
  LogLevel,
  PresenceMode,
  type ServerConfig,
} from "@fanfare/proto/config/v1";
import { type ChannelPolicy, resolveChannelPolicy } from "./channel-policy.ts";
import { checkConfig } from "./check-config.ts";
import { type Environment, type ResolvedPlayerAuth, resolvePlayerAuth, secretOf } from "./key-material.ts";
import { type ResolvedLimits, resolveLimits } from "./resolved-limits.ts";
import { type ResolvedTiming, resolveTiming } from "./resolved-timing.ts";
import { type ResolvedValkey, resolveValkey } from "./resolved-valkey.ts";

export type { ChannelPolicy } from "./channel-policy.ts";
export type { ResolvedLimits } from "./resolved-limits.ts";
export type { ResolvedTiming } from "./resolved-timing.ts";

/** A configuration that was checked, with every default filled in. Immutable. */
export interface ResolvedConfig {
  /** Unique in the cluster; made of the host name and a random part unless configured. */
  readonly nodeId: string;
  readonly listen: ResolvedListen;
  /** By app id; at least one. */
  readonly apps: ReadonlyMap<string, ResolvedApp>;
  readonly timing: ResolvedTiming;
  readonly limits: ResolvedLimits;
  readonly observe: ResolvedObserve;
  /** Where durable channels and cursors are kept; undefined: in memory. */
  readonly valkey: ResolvedValkey | undefined;
  /** One or two; the first signs, all verify. */
  readonly clusterKeys: readonly ResolvedClusterKey[];
  readonly dev: boolean;
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

/** A tenant. */
export interface ResolvedApp {
  readonly id: string;
  /** Exact origins, or `*`. */
  readonly allowedOrigins: readonly string[];
  /** As configured at the start, by name; what holds now is in the app's namespace registry. */
  readonly namespaces: ReadonlyMap<string, ChannelPolicy>;
  /** Of namespaces that are not configured. Undefined, so that they do not exist, except in development without namespaces. */
  readonly fallbackPolicy: ChannelPolicy | undefined;
  readonly playerPolicy: ChannelPolicy;
  readonly broadcastPolicy: ChannelPolicy;
  readonly playerAuth: ResolvedPlayerAuth;
  readonly apiKeys: readonly ResolvedApiKey[];
}

/** A key of the control API. `scopes` are numbers of `fanfare.config.v1.Scope`. */
export interface ResolvedApiKey {
  readonly id: string;
  /** SHA-256 of the key, 32 bytes. */
  readonly sha256: Uint8Array;
  readonly scopes: ReadonlySet<number>;
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
  const apps = config.apps.map((app, i) => resolveApp(app, `apps[${i}]`, limits, config.dev, environment));
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
    dev: config.dev,
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

const openToEverybody = {
  subscribe: Access.ANYONE,
  publish: Access.ANYONE,
  presence: PresenceMode.MEMBERS,
} as const;

function resolveApp(
  app: App,
  path: string,
  limits: ResolvedLimits,
  dev: boolean,
  environment: Environment,
): ResolvedApp {
  const { maxPayloadBytes } = limits;
  return Object.freeze({
    id: app.id,
    allowedOrigins: Object.freeze([...app.allowedOrigins]),
    namespaces: new Map(
      app.namespaces.map(({ name, rules }) => [name, resolveChannelPolicy(rules, "group", maxPayloadBytes)]),
    ),
    fallbackPolicy:
      dev && app.namespaces.length === 0
        ? resolveChannelPolicy(create(ChannelRulesSchema, openToEverybody), "group", maxPayloadBytes)
        : undefined,
    playerPolicy: resolveChannelPolicy(app.playerRules, "player", maxPayloadBytes),
    broadcastPolicy: resolveChannelPolicy(app.broadcastRules, "broadcast", maxPayloadBytes),
    playerAuth: resolvePlayerAuth(app.playerAuth, `${path}.player_auth`, environment),
    apiKeys: Object.freeze(
      app.apiKeys.map(({ id, sha256, scopes }) =>
        Object.freeze({ id, sha256: Buffer.from(sha256, "hex"), scopes: new Set<number>(scopes) }),
      ),
    ),
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
