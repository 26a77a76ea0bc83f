import type { Client } from "../client.ts";
import { openClient } from "../client.ts";
import type { ConnectOptions } from "../options.ts";
import type { LifecycleEvent } from "../ports.ts";
import type { StatusEvent } from "../status.ts";
import type { Init } from "../wire/codec.ts";
import { DeliveryClass, type ServerFrame, type Welcome } from "../wire/schema.ts";
import { FakeNetwork, type FakeSocket } from "./fake-network.ts";
import { settled, VirtualClock } from "./virtual-clock.ts";

/** A client with a clock, a network and a program whose life the test plays. */
export class Scripted {
  readonly clock = new VirtualClock();
  readonly network = new FakeNetwork();
  readonly statuses: StatusEvent[] = [];
  /** What `random` gives next, again and again. */
  random = 0.5;
  readonly tokens: string[] = [];
  readonly tokenReasons: string[] = [];
  #lifecycle: ((event: LifecycleEvent) => void) | undefined;
  #client: Client | undefined;
  #failure: unknown;

  /** Begins to connect. Tokens are given in their order, the last one again and again. */
  async open(options: Partial<ConnectOptions> = {}, tokens: string[] = ["token-1"]): Promise<void> {
    this.tokens.push(...tokens);
    const ports = {
      clock: this.clock,
      random: { next: () => this.random },
      sockets: this.network,
      lifecycle: {
        watch: (callback: (event: LifecycleEvent) => void) => {
          this.#lifecycle = callback;
          return () => {
            this.#lifecycle = undefined;
          };
        },
      },
      client: { name: "scripted", version: "0", platform: "test" },
    };
    const getToken = ({ reason }: { reason: string }) => {
      this.tokenReasons.push(reason);
      return (this.tokens.length > 1 ? this.tokens.shift() : this.tokens[0]) ?? "";
    };
    const onStatus = (event: StatusEvent) => void this.statuses.push(event);
    openClient({ url: "ws://game.test", getToken, onStatus, ...options }, ports).then(
      (client) => {
        this.#client = client;
      },
      (thrown: unknown) => {
        this.#failure = thrown;
      },
    );
    await settled();
  }

  /** A client that is connected. */
  static async connected(options: Partial<ConnectOptions> = {}, welcome: Init<Welcome> = {}): Promise<Scripted> {
    const scripted = new Scripted();
    await scripted.open(options);
    await scripted.welcome(welcome);
    return scripted;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("the client is not connected");
    return this.#client;
  }

  /** Why connecting failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    return this.network.newest;
  }

  /** Accepts the newest socket and answers its hello. */
  async welcome(welcome: Init<Welcome> = {}, socket: FakeSocket = this.socket): Promise<void> {
    await socket.accept();
    await socket.say(this.welcomeFrame(welcome, socket));
  }

  /** A welcome as a server would answer the newest hello of a socket. */
  welcomeFrame(welcome: Init<Welcome>, socket: FakeSocket = this.socket): Init<ServerFrame> {
    const { frame: hello } = socket.last("hello");
    const subscribed = { deliveryClass: DeliveryClass.LIVE };
    return {
      welcome: {
        sessionId: "session-1",
        origin: 11n,
        resumeSecret: `secret-${hello.attempt}`,
        attempt: hello.attempt,
        playerId: "alice",
        appId: "app",
        nodeId: "node-1",
        serverTimeUs: this.clock.now() * 1000,
        heartbeatIntervalMs: 25_000,
        heartbeatTimeoutMs: 10_000,
        features: hello.features,
        limits: { maxPendingRequests: 64, maxFrameBytes: 131_072, maxPayloadBytes: 65_536 },
        resumed: hello.resume !== undefined,
        reconnectWindowMs: 2000,
        revision: 1,
        subscriptions: [
          ...hello.subscriptions.map(({ channel, presence }) => ({
            channel,
            subscribed: { ...subscribed, presence },
          })),
          { channel: { player: "alice" }, subscribed: { ...subscribed, byServer: true } },
          { channel: { broadcast: true }, subscribed: { ...subscribed, byServer: true } },
        ],
        ...welcome,
      },
    };
  }

  /** Answers the newest subscribe. */
  async subscribed(presence = false): Promise<void> {
    const { id } = this.socket.last("subscribe");
    await this.socket.say({ id, reply: { subscribed: { deliveryClass: DeliveryClass.LIVE, presence } } });
  }

  /** Joins a group. */
  async join(group: string, options: Parameters<Client["join"]>[1] = {}) {
    const joined = this.client.join(group, options);
    await settled();
    await this.subscribed(options.presence !== undefined || options.roster === true);
    return joined;
  }

  lifecycle(event: LifecycleEvent): Promise<void> {
    this.#lifecycle?.(event);
    return settled();
  }

  /** The types of what `status` has told. */
  get told(): string[] {
    return this.statuses.map((event) => event.type).filter((type) => type !== "latency");
  }
}
