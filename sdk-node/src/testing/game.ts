import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Access, ListenSchema, NamespaceSchema, PresenceMode, TimingSchema } from "@fanfare/proto/config/v1";
import { type Client, type ConnectOptions, DeliveryClass, type StatusEvent } from "@fanfare/sdk-core";
import { devConfig, type FanfareServer, resolveConfig, startServer } from "@fanfare/server";
import { connect } from "../connect.ts";
import { type ControlClient, createControlClient } from "../control/control-client.ts";
import { mintToken } from "../mint-token.ts";

/** A server on free ports, and the players who are connected to it. Everything is closed at the end. */
export class Game implements AsyncDisposable {
  readonly server: FanfareServer;
  readonly apiKey: string;
  readonly operatorKey: string;
  readonly #secret: string;
  readonly #clients: Client[] = [];

  private constructor(server: FanfareServer, secret: string, apiKey: string, operatorKey: string) {
    this.server = server;
    this.#secret = secret;
    this.apiKey = apiKey;
    this.operatorKey = operatorKey;
  }

  /** Starts a server with two listeners, where everybody may do everything but what `members` is for. */
  static async start(timing: MessageInitShape<typeof TimingSchema> = {}): Promise<Game> {
    const { config, tokenSecret, apiKey, operatorKey } = devConfig();
    const [app] = config.apps;
    const open = { subscribe: Access.ANYONE, publish: Access.ANYONE, presence: PresenceMode.MEMBERS };
    config.listen = create(ListenSchema, { host: "127.0.0.1", port: 0, additional: [{ host: "127.0.0.1", port: 0 }] });
    const durable = { ...open, deliveryClass: DeliveryClass.DURABLE, maxRewind: 10_000 };
    const namespaces = [
      { name: "default", rules: open },
      { name: "durable", rules: { ...durable, retention: { maxMessages: 10_000 } } },
      { name: "short", rules: { ...durable, retention: { maxMessages: 10 } } },
      { name: "members", rules: { publish: Access.MEMBERS, presence: PresenceMode.MEMBERS } },
    ];
    config.timing = create(TimingSchema, timing);
    app?.namespaces.push(...namespaces.map((namespace) => create(NamespaceSchema, namespace)));
    return new Game(await startServer({ config: resolveConfig(config) }), tokenSecret, apiKey, operatorKey);
  }

  get url(): string {
    return this.server.url;
  }

  /** A player's token. */
  async token(player: string, more: Partial<Parameters<typeof mintToken>[0]> = {}): Promise<string> {
    return (await mintToken({ app: "dev", player, key: this.#secret, keyId: "dev", ...more })).token;
  }

  /** Connects a player. */
  async join(player: string, options: Partial<ConnectOptions> = {}): Promise<Client> {
    const client = await connect({ url: this.url, getToken: () => this.token(player), ...options });
    this.#clients.push(client);
    return client;
  }

  /** A client of the control API. */
  control(): ControlClient {
    return createControlClient({ url: this.url, apiKey: this.apiKey });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.server.close();
  }
}

/** The next status event of a type. */
export function nextStatus<T extends StatusEvent["type"]>(client: Client, type: T): Promise<StatusEvent & { type: T }> {
  return new Promise((resolve) => {
    const off = client.on("status", (event) => {
      if (event.type !== type) return;
      off();
      resolve(event as StatusEvent & { type: T });
    });
  });
}

/** Resolves when a condition holds; asked again after each event that `on` tells of. */
export function until(on: (callback: () => void) => () => void, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      off();
      resolve();
    };
    const off = on(check);
    queueMicrotask(check);
  });
}
