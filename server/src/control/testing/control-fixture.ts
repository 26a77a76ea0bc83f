import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  Access,
  type ListenSchema,
  PresenceMode,
  Scope,
  ServerConfigSchema,
  type TimingSchema,
} from "@fanfare/proto/config/v1";
import { ControlService, ErrorDetailSchema } from "@fanfare/proto/control/v1";
import { DeliveryClass, ErrorCode, type Error as ErrorMessage, type Welcome } from "@fanfare/proto/v1";
import { mintDevToken } from "../../auth/mint.ts";
import { type ResolvedConfig, resolveConfig } from "../../config/resolved-config.ts";
import type { Log } from "../../observe/log.ts";
import { type FanfareServer, startServer } from "../../server.ts";
import { TestClient } from "../../testing/test-client.ts";

const secret = "secret-of-the-tests-secret-of-the-tests";
const scopes = [Scope.PUBLISH, Scope.READ, Scope.GROUPS, Scope.PLAYERS, Scope.MESSAGES, Scope.ADMIN];

/** The key of an app that may do everything. */
export function masterKey(appId: string): string {
  return `master-${appId}`;
}

/** The key of app `game` that has one scope alone. */
export function keyWith(scope: Scope): string {
  return `only-${scope}`;
}

function apiKey(id: string, key: string, keyScopes: Scope[]) {
  return { id, sha256: createHash("sha256").update(key).digest("hex"), scopes: keyScopes };
}

/** What a test has otherwise. */
export interface ConfigChanges {
  listen?: MessageInitShape<typeof ListenSchema>;
  timing?: MessageInitShape<typeof TimingSchema>;
}

/**
 * Two apps, `game` and `other`. Namespaces of `game`: `chat` is open to all with presence, `team` to members, `quiet` has no presence,
 * `log` is durable.
 */
export function testConfig(changes: ConfigChanges = {}): ResolvedConfig {
  const app = (id: string) => ({
    id,
    playerAuth: { keys: [{ algorithm: 1, material: { case: "secret" as const, value: secret } }] },
    apiKeys: [
      apiKey("master", masterKey(id), scopes),
      ...(id === "game" ? scopes.map((scope) => apiKey(`only-${scope}`, keyWith(scope), [scope])) : []),
    ],
    namespaces: [
      {
        name: "chat",
        rules: { subscribe: Access.ANYONE, presence: PresenceMode.MEMBERS, maxPayloadBytes: 1000 },
      },
      { name: "team", rules: { presence: PresenceMode.COUNTS } },
      { name: "quiet", rules: { subscribe: Access.ANYONE } },
      { name: "log", rules: { subscribe: Access.ANYONE, deliveryClass: DeliveryClass.DURABLE } },
    ],
  });
  const base = { nodeId: "n1", listen: { port: 0 }, apps: [app("game"), app("other")] };
  return resolveConfig(create(ServerConfigSchema, { ...base, ...changes }), { environment: {} });
}

type HelloInit = Parameters<TestClient["sayHello"]>[0];

/** A client that has been welcomed. */
export type ConnectedClient = TestClient & { readonly welcome: Welcome };

/** A server on a free port, its clients and its players. Everything is closed at the end. */
export class ControlFixture implements AsyncDisposable {
  readonly server: FanfareServer;
  readonly #clients: TestClient[] = [];

  private constructor(server: FanfareServer) {
    this.server = server;
  }

  static async start(config: ResolvedConfig = testConfig(), log?: Log): Promise<ControlFixture> {
    return new ControlFixture(await startServer(log === undefined ? { config } : { config, log }));
  }

  /** A client of the control API. Default: app `game`, with every scope. */
  client(key: string = masterKey("game"), transport?: Transport): Client<typeof ControlService> {
    const baseUrl = this.server.url;
    const interceptors = [authorize(key)];
    return createClient(
      ControlService,
      transport ?? createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors }),
    );
  }

  async token(playerId: string, appId = "game", issuedAgoMs = 0): Promise<string> {
    const nowMs = Date.now() - issuedAgoMs;
    return (await mintDevToken({ appId, playerId, secret, keyId: "", nowMs })).token;
  }

  /** A connection that has said `hello`; what came of it is for the test to see. */
  async hello(hello: HelloInit): Promise<TestClient> {
    const client = await TestClient.connect(`${this.server.url.replace("http", "ws")}/v1/connect`);
    this.#clients.push(client);
    client.sayHello(hello);
    return client;
  }

  /** A connected player with the features `resume`, `presence` and `server_rpc`. */
  async player(playerId: string, { appId, ...hello }: HelloInit & { appId?: string } = {}): Promise<ConnectedClient> {
    const token = hello.token ?? (await this.token(playerId, appId));
    const client = await this.hello({ features: ["resume", "presence", "server_rpc"], ...hello, token });
    client.welcome = await client.frame("welcome");
    return client as ConnectedClient;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.cut();
    await this.server.close();
  }
}

/** Sends an API key with every call. */
export function authorize(key: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${key}`);
    return next(request);
  };
}

/** What a call was refused with: Connect's code, and the error of its details. */
export async function refusalOf(call: Promise<unknown>): Promise<{ code: Code; error: ErrorMessage | undefined }> {
  const reason = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(reason instanceof ConnectError)) throw new Error(`expected a ConnectError, got ${String(reason)}`);
  return { code: reason.code, error: reason.findDetails(ErrorDetailSchema)[0]?.error };
}

/** {@link refusalOf} in names, for comparison at a glance. */
export async function refusalNames(call: Promise<unknown>): Promise<string> {
  const { code, error } = await refusalOf(call);
  return `${Code[code]} ${error === undefined ? "" : ErrorCode[error.code]} ${error?.field ?? ""}`.trim();
}

/** The channel of a group. */
export function group(value: string) {
  return { kind: { case: "group" as const, value } };
}

/** The channel of a player. */
export function player(value: string) {
  return { kind: { case: "player" as const, value } };
}

/** Everybody's channel. */
export const broadcast = { kind: { case: "broadcast" as const, value: true } };

/** A payload of text. */
export function text(value: string) {
  return { data: { case: "text" as const, value } };
}
