import { clone, create } from "@bufbuild/protobuf";
import { Access, type App, AppSchema, ChannelRulesSchema, PresenceMode } from "@fanfare/proto/config/v1";
import { type ChannelPolicy, resolveChannelPolicy } from "./channel-policy.ts";
import { type Environment, type ResolvedPlayerAuth, resolvePlayerAuth } from "./key-material.ts";

/** A tenant. */
export interface ResolvedApp {
  readonly id: string;
  /** Exact origins, or `*`. */
  readonly allowedOrigins: readonly string[];
  /** As configured or put, by name; what holds now is in the app's namespace registry. */
  readonly namespaces: ReadonlyMap<string, ChannelPolicy>;
  /** Of namespaces that are not configured. Undefined, so that they do not exist, except in development without namespaces. */
  readonly fallbackPolicy: ChannelPolicy | undefined;
  readonly playerPolicy: ChannelPolicy;
  readonly broadcastPolicy: ChannelPolicy;
  readonly playerAuth: ResolvedPlayerAuth;
  readonly apiKeys: readonly ResolvedApiKey[];
  /** The definition that it was made of, without secrets and hashes of keys. */
  readonly shown: App;
}

/** A key of the control API. `scopes` are numbers of `fanfare.config.v1.Scope`. */
export interface ResolvedApiKey {
  readonly id: string;
  /** SHA-256 of the key, 32 bytes. */
  readonly sha256: Uint8Array;
  readonly scopes: ReadonlySet<number>;
}

/** What an app takes from the configuration around it. */
export interface AppSurroundings {
  /** Of the node: no namespace allows more. */
  readonly maxPayloadBytes: number;
  readonly dev: boolean;
  readonly environment: Environment;
}

const openToEverybody = {
  subscribe: Access.ANYONE,
  publish: Access.ANYONE,
  presence: PresenceMode.MEMBERS,
} as const;

/**
 * Fills in every default of an app that was checked.
 * @param path before the names of its fields, in errors
 * @throws ConfigError for key material that cannot be used
 */
export function resolveApp(app: App, path: string, surroundings: AppSurroundings): ResolvedApp {
  const { maxPayloadBytes, dev, environment } = surroundings;
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
    playerAuth: resolvePlayerAuth(app.playerAuth, `${path}player_auth`, environment),
    apiKeys: Object.freeze(
      app.apiKeys.map(({ id, sha256, scopes }) =>
        Object.freeze({ id, sha256: Buffer.from(sha256, "hex"), scopes: new Set<number>(scopes) }),
      ),
    ),
    shown: withoutSecrets(app),
  });
}

/** An app as it may be shown. A hash of a key is left out, too: who chose a weak key should not lose it by that. */
export function withoutSecrets(app: App): App {
  const shown = clone(AppSchema, app);
  for (const { material } of shown.playerAuth?.keys ?? []) if (material.case === "secret") material.value = "";
  for (const key of shown.apiKeys) key.sha256 = "";
  return shown;
}
