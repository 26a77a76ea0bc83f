import { createHash, createHmac } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  Access,
  type AppSchema,
  type LimitsSchema,
  PresenceMode,
  Scope,
  ServerConfigSchema,
  type TimingSchema,
  TokenAlgorithm,
  type ValkeySchema,
} from "@fanfare/proto/config/v1";
import { ControlService, OperatorService } from "@fanfare/proto/control/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import { resolveConfig } from "../config/resolved-config.ts";
import type { DurableStores } from "../log/durable-stores.ts";
import type { Log } from "../observe/log.ts";
import { type FanfareServer, type StartOptions, startServer } from "../server.ts";
import { type ConnectOptions, type InitOf, TestClient } from "./test-client.ts";
import type { ValkeyServers } from "./valkey-processes.ts";

/** What a test changes about its server. */
export interface TestServerOptions {
  readonly timing?: InitOf<typeof TimingSchema>;
  readonly limits?: InitOf<typeof LimitsSchema>;
  /** Of both apps. Default: none. */
  readonly allowedOrigins?: string[];
  readonly trustedProxies?: string[];
  /** Default: one that is free. */
  readonly port?: number;
  /** Listeners beside the main one. Default: 0. */
  readonly additionalListeners?: number;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly pages?: string;
  /** Make players' own channels durable. Default: live. */
  readonly durableInbox?: boolean;
  /** Default: in memory. */
  readonly stores?: DurableStores;
  readonly devSecrets?: { readonly tokenSecret: string; readonly apiKey: string };
  /** Default: alone. */
  readonly cluster?: StartOptions["cluster"];
  /** A Valkey that it finds others in. Default: none. */
  readonly valkey?: ValkeyServers;
  /** Settings of it. Default: those of the server. */
  readonly valkeySettings?: InitOf<typeof ValkeySchema>;
  /** To how many other nodes something has to go for it to be published once. Default: that of the server. */
  readonly sharedLanePeers?: number;
  /** As in `StartOptions`. */
  readonly clusterRevision?: number;
  /** Default: `test-node`. */
  readonly nodeId?: string;
  /** Signs resume secrets; nodes of one cluster have the same. Default: random. */
  readonly clusterKey?: string;
  /** Variables that keys may name. Default: none. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a token says. */
export interface TokenOptions {
  /** Default: `a`. */
  readonly app?: string;
  readonly groups?: readonly string[];
  readonly caps?: readonly string[];
  /** Default: an hour. */
  readonly expiresInMs?: number;
}

export const apiKeyOf = (app: string) => `key-of-the-app-${app}-for-tests-only`;
const scopes = [Scope.PUBLISH, Scope.READ, Scope.GROUPS, Scope.PLAYERS, Scope.MESSAGES, Scope.ADMIN];
export const operatorKey = "key-of-the-operator-for-tests-only";
const sha256Of = (key: string) => createHash("sha256").update(key).digest("hex");
export const secretOf = (app: string) => `secret of the app ${app}, for tests only`;
const open = { subscribe: Access.ANYONE, publish: Access.ANYONE };

/**
 * Namespaces of the test apps `a` and `b`. Players may publish to each other; broadcast needs the capability `publish:broadcast`.
 *
 * | namespace | subscribe | publish | presence | more |
 * |---|---|---|---|---|
 * | default | anyone | anyone | members | |
 * | chat | anyone | subscribers | members | |
 * | game | anyone | anyone | counts | |
 * | members-only | members | members | members | |
 * | no-presence | anyone | anyone | off | |
 * | durable | anyone | anyone | members | kept: 100 messages, all of which can be rewound |
 * | limited | anyone | anyone | members, at most 2 | 2 publishes a second, 16 bytes |
 */
const namespaces = [
  { name: "default", rules: { ...open, presence: PresenceMode.MEMBERS } },
  { name: "chat", rules: { subscribe: Access.ANYONE, publish: Access.SUBSCRIBERS, presence: PresenceMode.MEMBERS } },
  { name: "game", rules: { ...open, presence: PresenceMode.COUNTS } },
  { name: "members-only", rules: { publish: Access.MEMBERS, presence: PresenceMode.MEMBERS } },
  { name: "no-presence", rules: open },
  {
    name: "durable",
    rules: {
      ...open,
      presence: PresenceMode.MEMBERS,
      deliveryClass: DeliveryClass.DURABLE,
      maxRewind: 100,
      retention: { maxMessages: 100 },
    },
  },
  {
    name: "limited",
    rules: {
      ...open,
      presence: PresenceMode.MEMBERS,
      maxPresenceMembers: 2,
      publishesPerSecond: 2,
      maxPayloadBytes: 16,
    },
  },
];

/** A server on a free port of this machine, and what a test needs to talk to it. */
export class TestServer implements AsyncDisposable {
  readonly server: FanfareServer;
  readonly #clients = new Set<TestClient>();

  constructor(server: FanfareServer) {
    this.server = server;
  }

  get counters() {
    return this.server.node.counters;
  }

  /** The hub of an app. */
  hub(app = "a") {
    const found = this.server.node.apps.get(app);
    if (found === undefined) throw new Error(`there is no app ${app}`);
    return found.hub;
  }

  /** Where clients connect, at one of the listeners. */
  connectUrl(listener = 0): string {
    return `${this.server.urls[listener]?.replace(/^http/, "ws")}/v1/connect`;
  }

  /** The control API with a key that may do everything in an app. */
  control(app = "a"): Client<typeof ControlService> {
    return createClient(ControlService, this.#transport(apiKeyOf(app)));
  }

  /** The control API with an operator's key, for what concerns nodes. */
  controlOfNodes(): Client<typeof ControlService> {
    return createClient(ControlService, this.#transport(operatorKey));
  }

  /** The operator API. @param key default: that of whoever runs the server */
  operator(key = operatorKey): Client<typeof OperatorService> {
    return createClient(OperatorService, this.#transport(key));
  }

  #transport(key: string) {
    const withKey: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${key}`);
      return next(request);
    };
    return createConnectTransport({ baseUrl: this.server.url, httpVersion: "1.1", interceptors: [withKey] });
  }

  /** Opens a WebSocket, without `hello`. It is cut when the server is disposed of. */
  async dial(options: ConnectOptions & { readonly listener?: number } = {}): Promise<TestClient> {
    const client = await TestClient.connect(this.connectUrl(options.listener), options);
    this.#clients.add(client);
    return client;
  }

  /** Leaves a client that is gone to itself. */
  forget(client: TestClient): void {
    this.#clients.delete(client);
  }

  /** Opens a WebSocket and says `hello` as a player. */
  async join(player: string, options: JoinOptions = {}): Promise<TestClient> {
    const client = await this.dial(options);
    await client.hello({ token: tokenFor(player, options), ...options.hello });
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.cut();
    await this.server.close();
  }
}

/** How a player joins. */
export interface JoinOptions extends TokenOptions, ConnectOptions {
  readonly listener?: number;
  readonly hello?: Parameters<TestClient["hello"]>[0];
}

/** An app to put at run time, whose tokens are those of `tokenFor` and whose API key is that of `control`, as with the apps of the configuration. */
export function newApp(id: string, changes: InitOf<typeof AppSchema> = {}): InitOf<typeof AppSchema> {
  return {
    id,
    playerAuth: {
      keys: [{ id: "k", algorithm: TokenAlgorithm.HS256, material: { case: "secret", value: secretOf(id) } }],
      leewayS: 0,
    },
    apiKeys: [{ id: "all", sha256: sha256Of(apiKeyOf(id)), scopes }],
    namespaces,
    playerRules: { publish: Access.ANYONE },
    ...changes,
  };
}

/** Starts a server with the apps `a` and `b`. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const additional = Array.from({ length: options.additionalListeners ?? 0 }, () => ({ port: 0 }));
  const app = (id: string) => ({
    id,
    playerAuth: {
      keys: [{ id: "k", algorithm: TokenAlgorithm.HS256, material: { case: "secret" as const, value: secretOf(id) } }],
      leewayS: 0,
    },
    apiKeys: [{ id: "all", sha256: sha256Of(apiKeyOf(id)), scopes }],
    namespaces,
    playerRules: {
      publish: Access.ANYONE,
      deliveryClass: options.durableInbox ? DeliveryClass.DURABLE : DeliveryClass.LIVE,
    },
    allowedOrigins: options.allowedOrigins ?? [],
  });
  const config = resolveConfig(
    create(ServerConfigSchema, {
      nodeId: options.nodeId ?? "test-node",
      ...(options.clusterKey && {
        clusterKeys: [{ id: "c", material: { case: "secret", value: options.clusterKey } }],
      }),
      ...(options.valkey && {
        valkey: {
          ...valkeyOf(options.valkey),
          sharedLanePeers: options.sharedLanePeers ?? 0,
          ...options.valkeySettings,
        },
      }),
      listen: { port: options.port ?? 0, additional, trustedProxies: options.trustedProxies ?? [] },
      timing: { presenceTickMs: 10, ...options.timing },
      limits: { ...options.limits },
      operatorKeys: [{ id: "operator", sha256: sha256Of(operatorKey) }],
      apps: [app("a"), app("b")],
    }),
    { environment: options.environment ?? {} },
  );
  const { log, clock, pages, devSecrets, stores, clusterRevision } = options;
  return new TestServer(
    await startServer({
      config,
      metricsSharedMs: 0, // tests look at what has just changed
      ...(log === undefined ? {} : { log }),
      ...(clock === undefined ? {} : { clock }),
      ...(pages === undefined ? {} : { pages }),
      ...(stores === undefined ? {} : { stores }),
      ...(devSecrets === undefined ? {} : { devSecrets }),
      ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
      ...(clusterRevision === undefined ? {} : { clusterRevision }),
    }),
  );
}

function valkeyOf({ addresses, isCluster }: ValkeyServers) {
  return { addresses: addresses.map(({ host, port }) => `${host}:${port}`), cluster: isCluster };
}

/** A player's token, good for the test apps. */
export function tokenFor(player: string, options: TokenOptions = {}): string {
  const { app = "a", groups, caps, expiresInMs = 3_600_000 } = options;
  const nowS = Date.now() / 1000;
  const claims = { sub: player, app, iat: Math.floor(nowS), exp: nowS + expiresInMs / 1000, groups, caps };
  const text = [{ alg: "HS256", kid: "k" }, claims].map((part) => base64url(JSON.stringify(part))).join(".");
  return `${text}.${createHmac("sha256", secretOf(app)).update(text).digest("base64url")}`;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
