import { checkName, checkNumber, checkText, shortened } from "./bounds.ts";
import type { Channel, ChannelOwner } from "./channel/channel.ts";
import type { ChannelCore } from "./channel/channel-core.ts";
import { CursorCommits } from "./channel/cursor-commits.ts";
import { Destination } from "./channel/destination.ts";
import type { LogPosition } from "./channel/log-position.ts";
import { type Target, toWireChannel } from "./channel/target.ts";
import { Connector } from "./connection/connector.ts";
import type { ConnectorEvents } from "./connection/connector-events.ts";
import type { Link, RoundTrip } from "./connection/link.ts";
import { setDeadline } from "./deadline.ts";
import { cancelled, FanfareError, fromWireError } from "./error.ts";
import { Listeners } from "./listeners.ts";
import type { ConnectOptions, ResolvedOptions } from "./options.ts";
import { resolveOptions } from "./options.ts";
import { Outbox, unsent } from "./outbox.ts";
import {
  decodePayload,
  encodePayload,
  fromWirePayload,
  type InputOf,
  type Payload,
  type PayloadType,
  type ValueOf,
} from "./payload.ts";
import type { Clock, Ports } from "./ports.ts";
import { type PresencePage, type PresenceQueryOptions, toPresencePage } from "./presence/presence-page.ts";
import { Requests, type WaitOptions } from "./requests.ts";
import { type CallContext, type MethodTypes, RpcHandlers } from "./rpc-handlers.ts";
import type { ServerInfo } from "./server-info.ts";
import type { ConnectionStatus, StatusEvent } from "./status.ts";
import { type JoinOptions, Subscriptions } from "./subscriptions.ts";
import type { Init } from "./wire/codec.ts";
import { ErrorCode, type Publish, type PublishResult, type Welcome } from "./wire/schema.ts";

/** Connects; see `connect` of the shells. */
export async function openClient(options: ConnectOptions, ports: Ports): Promise<Client> {
  const resolved = resolveOptions(options);
  if (resolved.signal?.aborted) throw cancelled(resolved.signal);
  const client = new Client(resolved, ports);
  await client.connected;
  return client;
}

/** A player's session. Made by `connect`. */
export class Client {
  readonly #options: ResolvedOptions;
  readonly #requests: Requests;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #connector: Connector;
  readonly #rpc: RpcHandlers;
  readonly #listeners = new Listeners<StatusEvent>();
  readonly #owner: ChannelOwner;
  /** The newest. Nobody has a client before the first. */
  #welcome!: Welcome;
  #player: Channel | undefined;
  #closing: Promise<void> | undefined;

  /** Resolves with the first `welcome`. @internal */
  readonly connected: Promise<void>;
  /** Messages to everybody. */
  readonly broadcast: Channel;

  /** @internal */
  constructor(options: ResolvedOptions, ports: Ports) {
    const { clock } = ports;
    this.#options = options;
    this.#requests = new Requests(clock, options.requestTimeoutMs);
    const limits = { maxCount: options.maxQueuedPublishes, maxBytes: options.maxQueuedBytes };
    this.#outbox = new Outbox(clock, limits, () => this.#requests.nextId());
    this.#owner = this.#channelOwner(clock);
    this.#subscriptions = new Subscriptions(this.#requests, this.#owner, clock, (event) => this.#emit(event));
    this.#rpc = new RpcHandlers(clock, (error) => this.#emit({ type: "error", source: "callback", error }));
    this.broadcast = this.#subscriptions.pinned("broadcast");
    if (options.onStatus !== undefined) this.on("status", options.onStatus);
    this.#connector = new Connector(ports, options, this.#connectorEvents());
    this.connected = this.#firstConnection(ports);
    this.#connector.start();
  }

  /** The own player's id. */
  get playerId(): string {
    return this.#welcome.playerId;
  }

  /** The own player's channel: messages to this player, in every session of theirs. */
  get player(): Channel {
    this.#player ??= this.#subscriptions.pinned({ player: this.playerId });
    return this.#player;
  }

  /** Names this session towards the server's logs and control API. Changes when a session could not be resumed. */
  get sessionId(): string {
    return this.#welcome.sessionId;
  }

  /** This session in messages and presence; see {@link MessageMeta.origin}. */
  get origin(): bigint {
    return this.#welcome.origin;
  }

  /** What the server is, offers and admits. */
  get server(): ServerInfo {
    const { nodeId, appId, features, heartbeatIntervalMs, heartbeatTimeoutMs, limits } = this.#welcome;
    return { nodeId, appId, features, heartbeatIntervalMs, heartbeatTimeoutMs, limits };
  }

  /** The newest measured round trip and clock offset; undefined before the first. */
  get latency(): Readonly<RoundTrip> | undefined {
    return this.#connector.latency;
  }

  /** Where the client stands. */
  get status(): ConnectionStatus {
    const { state } = this.#connector;
    switch (state.name) {
      case "open":
      case "moving":
      case "closed":
        return state.name;
      case "waiting":
        return state.suspended ? "suspended" : "waiting";
      default:
        return "connecting";
    }
  }

  /** Channels that are subscribed: joined ones, and those the server opened for this player. */
  get channels(): Channel[] {
    return this.#subscriptions.channels;
  }

  /** Calls back for everything that happens outside of channels. The returned function ends it. */
  on(event: "status", callback: (event: StatusEvent) => unknown): () => void {
    void event;
    return this.#listeners.add(callback);
  }

  /**
   * Receives a group from now on, over reconnects, until `leave`. Joining a group again gives the same channel, and the later
   * options hold. Rejects with the server's error, for instance PERMISSION_DENIED or UNKNOWN_NAMESPACE, and with CANCELLED if the
   * group is left before the answer.
   */
  join(group: string, options: JoinOptions = {}): Promise<Channel> {
    return this.#subscriptions.join({ group }, options);
  }

  /** Any channel to send to, without receiving it: `client.to({ player }).publish(…)`. */
  to(target: Target): Destination {
    return new Destination(toWireChannel(target), this.#owner);
  }

  /** Who is in a channel, a page at a time. Rejects with the server's error. */
  async presence(target: Target, options: PresenceQueryOptions = {}): Promise<PresencePage> {
    const { pageSize, pageToken, countsOnly, signal, timeoutMs } = options;
    checkNumber("presence.page_size", pageSize, 1000);
    checkText("presence.page_token", pageToken, 256);
    this.#need("presence");
    const presence = { channel: toWireChannel(target), pageSize, pageToken, countsOnly };
    const { presencePage } = await this.#requests.send({ presence }, { signal, timeoutMs });
    return toPresencePage(presencePage);
  }

  /**
   * Calls the game's backend. Rejects with the backend's or the server's error, UNIMPLEMENTED where calls are not offered, and
   * DEADLINE_EXCEEDED after `timeoutMs` (at most 60,000; default: 5,000) or when the connection ends before the answer: it is not known then
   * whether the call was carried out, and it is not repeated.
   */
  async call<Q extends PayloadType, R extends PayloadType>(
    method: string,
    types: MethodTypes<Q, R>,
    request: InputOf<Q>,
    { signal, timeoutMs = 5_000 }: WaitOptions = {},
  ): Promise<ValueOf<R>> {
    checkName("rpc.method", method, 128);
    checkNumber("rpc.deadline_ms", timeoutMs, 60_000);
    this.#need("client_rpc");
    const rpc = { method, payload: encodePayload(types.request, request), deadlineMs: timeoutMs };
    const { rpcResult } = await this.#requests.send({ rpc }, { signal, timeoutMs, once: true });
    if (rpcResult?.error !== undefined) throw fromWireError(rpcResult.error);
    return decodePayload(types.response, fromWirePayload(rpcResult?.payload));
  }

  /**
   * Answers the backend's calls of a method. What the handler throws as FanfareError is the caller's error, everything else is told by
   * `status` and is INTERNAL to the caller. The returned function takes the handler away. Throws FAILED_PRECONDITION for a method
   * that has one.
   */
  handle<Q extends PayloadType, R extends PayloadType>(
    method: string,
    types: MethodTypes<Q, R>,
    handler: (request: ValueOf<Q>, context: CallContext) => InputOf<R> | Promise<InputOf<R>>,
  ): () => void {
    return this.#rpc.add(method, types, handler);
  }

  /**
   * Ends the session, now and not after the resume window, unless there is no connection to say so. Whatever waits is rejected.
   * Resolves when the connection is closed, after a second at the latest.
   */
  close(reason = ""): Promise<void> {
    this.#closing ??= this.#connector.stop(shortened(reason, 128));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #firstConnection({ clock }: Ports): Promise<void> {
    const { signal, connectTimeoutMs } = this.#options;
    return new Promise<void>((resolve, reject) => {
      const end = (error?: FanfareError) => {
        off();
        clear();
        signal?.removeEventListener("abort", abort);
        if (error === undefined) return resolve();
        reject(error);
        void this.close();
      };
      const abort = () => end(cancelled(signal));
      const clear = setDeadline(clock, clock.now() + connectTimeoutMs, () => {
        const message = `not connected within ${connectTimeoutMs} ms`;
        const { lastError } = this.#connector;
        end(new FanfareError(lastError?.code ?? ErrorCode.DEADLINE_EXCEEDED, message, { cause: lastError }));
      });
      const off = this.on("status", (event) => {
        if (event.type === "open") end();
        else if (event.type === "closed") end(event.error ?? cancelled(signal));
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #connectorEvents(): ConnectorEvents {
    return {
      status: (event) => this.#emit(event),
      subscriptions: (handOver) => {
        this.#requests.held = handOver;
        return this.#subscriptions.forHello(handOver);
      },
      welcomed: (_link, welcome) => this.#welcomed(welcome),
      subscribed: (welcome, fresh) => this.#subscriptions.welcomed(welcome, fresh),
      attached: (link, fresh) => {
        this.#outbox.attach(link, fresh);
        this.#requests.attach(link);
      },
      moving: (link) => this.#outbox.moveTo(link),
      lost: (link) => this.#lost(link),
      reply: (id, reply) => void (this.#outbox.onReply(id, reply) || this.#requests.onReply(id, reply)),
      refresh: async (token) => {
        const { refreshed } = await this.#requests.send({ refresh: { token } });
        return refreshed?.tokenExpiresAtMs ?? 0;
      },
      rpc: (link, id, rpc) => this.#rpc.call(link, id, rpc),
      deliver: (frame) => this.#subscriptions.onFrame(frame),
      missed: () => this.#subscriptions.missed(),
      finished: (error) => this.#finished(error),
    };
  }

  #welcomed(welcome: Welcome): void {
    this.#welcome = welcome;
    this.#subscriptions.presence = welcome.features.includes("presence");
    const { limits } = welcome;
    // Publishes may not take the places of every other request.
    const places = limits?.maxPendingRequests || 64;
    this.#requests.window = Math.max(1, Math.floor(places / 4));
    this.#outbox.window = Math.max(1, places - this.#requests.window);
    this.#outbox.rate.set(limits?.publishesPerSecond ?? 0, limits?.publishBurst ?? 0);
    this.#outbox.maxPayloadBytes = limits?.maxPayloadBytes ?? 0;
  }

  /** Throws UNIMPLEMENTED for a feature that the server does not offer. */
  #need(feature: string): void {
    if (this.#welcome.features.includes(feature)) return;
    throw new FanfareError(ErrorCode.UNIMPLEMENTED, `the server does not offer ${feature}`);
  }

  #lost(link: Link): void {
    this.#outbox.lost(link);
    this.#requests.lost(link);
    this.#rpc.lost(link);
  }

  #finished(error: FanfareError | undefined): void {
    const message = error?.message ?? "the client is closed";
    const code = error?.code ?? ErrorCode.CANCELLED;
    this.#outbox.close((outcome) => new FanfareError(code, message, { outcome, cause: error }));
    this.#requests.close(error ?? new FanfareError(code, message));
    this.#subscriptions.close(error);
  }

  #channelOwner(clock: Clock): ChannelOwner {
    return {
      send: (publish) => this.#outbox.send(publish),
      publish: (publish, wait) => this.#publish(publish, wait),
      leave: (core, wait) => this.#subscriptions.leave(core, wait),
      showPresence: async (core: ChannelCore, data: Payload, wait) => {
        this.#need("presence");
        await this.#subscriptions.showPresence(core, data, wait);
      },
      history: async (history, wait) => {
        this.#need("history");
        return (await this.#requests.send({ history }, wait)).historyPage;
      },
      commit: async (core, position) => {
        this.#need("cursor");
        if (position === undefined) {
          throw new FanfareError(ErrorCode.FAILED_PRECONDITION, "the channel is not durable, or not subscribed");
        }
        core.commits ??= new CursorCommits(clock, (newest) => this.#commit(core, newest));
        return core.commits.commit(position);
      },
    };
  }

  async #commit(core: ChannelCore, position: LogPosition): Promise<LogPosition> {
    const { cursorCommitted } = await this.#requests.send({ cursorCommit: { channel: core.wire, position } });
    core.cursor = cursorCommitted?.cursor ?? position;
    return core.cursor;
  }

  #publish(wanted: Init<Publish>, { signal, timeoutMs }: WaitOptions): Promise<PublishResult> {
    const publish = this.#welcome.features.includes("report") ? wanted : { ...wanted, wantReport: false };
    if (this.status === "closed") {
      return Promise.reject(new FanfareError(ErrorCode.SESSION_ENDED, "the client is closed", unsent));
    }
    return this.#outbox.publish(publish, { signal, timeoutMs: timeoutMs ?? this.#options.publishTimeoutMs });
  }

  #emit(event: StatusEvent): void {
    this.#listeners.emit(event, (thrown) => {
      const error = FanfareError.from(thrown);
      // Told to the others; what they throw about it would come here again and is dropped.
      this.#listeners.emit({ type: "error", source: "callback", error }, () => {});
    });
  }
}
