import { create } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ErrorCode,
  type Goaway,
  type ServerFrame,
  type Subscribe,
  type Welcome,
} from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import { Calls, refuse } from "./calls.ts";
import { ComingBack } from "./coming-back.ts";
import { Connection, type Ended } from "./connection.ts";
import { ClientFailure, isOfTheMoment } from "./failure.ts";
import { helloOf, servedFeatures } from "./hello.ts";
import { targetOf } from "./move-target.ts";
import { Publishes } from "./publishes.ts";
import { Requests } from "./requests.ts";
import { type Session, sessionOfThisMachine } from "./session.ts";
import { type ChannelEvents, Subscriptions } from "./subscriptions.ts";
import { TokenRefresh } from "./token-refresh.ts";

/** How to connect. */
export interface ClientOptions {
  readonly url: string;
  readonly tokens: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly subprotocols: readonly string[];
  readonly breaks: ClientBreaks;
}

/** What a client tells beside its channels. */
export interface ClientEvents extends Omit<ChannelEvents, "resubscribe" | "closed"> {
  connecting(): void;
  connected(resumed: boolean): void;
  closed(code: number): void;
  closedChannel(...closed: Parameters<ChannelEvents["closed"]>): void;
  dropped(count: bigint): void;
}

/** After which what was refused for the moment is asked for again, in milliseconds. */
const leastWaitMs = 200;

/** A client of the runner's own, in which every rule can be broken: it is what the suite is tested with, and no SDK. */
export class ReferenceClient {
  readonly requests: Requests;
  readonly publishes: Publishes;
  readonly subscriptions: Subscriptions;
  readonly calls: Calls;
  /** Of the newest welcome. */
  features: ReadonlySet<string> = new Set();
  readonly #options: ClientOptions;
  readonly #breaks: ClientBreaks;
  readonly #events: ClientEvents;
  readonly #comingBack: ComingBack;
  readonly #refresh: TokenRefresh;
  #session: Session | undefined;
  #attempt = 0;
  #url: string;
  /** Serves the session, or is on the way to. */
  #current: Connection | undefined;
  /** The second one while the client moves. */
  #next: Connection | undefined;
  /** What the second one has brought, until the first has brought everything. */
  #held: ServerFrame[] | undefined;
  #welcomes = new WeakMap<Connection, Welcome>();
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #ending: PromiseWithResolvers<void> | undefined;

  constructor(options: ClientOptions, events: ClientEvents) {
    const { breaks } = options;
    this.#options = options;
    this.#breaks = breaks;
    this.#events = events;
    this.#url = options.url;
    this.#comingBack = new ComingBack(options.tokens, breaks);
    this.requests = new Requests(breaks);
    this.publishes = new Publishes(() => this.requests.nextId(), breaks);
    this.calls = new Calls(breaks);
    const resubscribe = (one: Subscribe) => this.#resubscribe(one);
    this.subscriptions = new Subscriptions({ ...events, closed: events.closedChannel, resubscribe }, breaks);
    this.#refresh = new TokenRefresh(breaks, {
      nextToken: () => {
        this.#comingBack.nextToken();
        return this.#comingBack.token;
      },
      send: async (token) => {
        const { result } = await this.requests.send({
          case: "refresh",
          value: { $typeName: "fanfare.v1.Refresh", token },
        });
        return result.case === "refreshed" ? result.value.tokenExpiresAtMs : 0n;
      },
    });
    this.#session = breaks.has("session-of-another-instance") ? sessionOfThisMachine.last : undefined;
    this.#attempt = this.#session?.attempt ?? 0;
  }

  connect(): void {
    this.#events.connecting();
    this.#current = this.#open(this.#url);
    if (this.#breaks.has("two-connections")) setTimeout(() => this.#over || this.#open(this.#url), 20);
  }

  /** Ends the session and everything that waits. Resolves when the connection is closed. */
  async close(): Promise<void> {
    if (this.#over) return;
    const ending = Promise.withResolvers<void>();
    this.#ending = ending;
    const current = this.#current;
    if (current === undefined || !this.#welcomes.has(current)) return this.#finish(0);
    if (!this.#breaks.has("no-disconnect")) {
      current.send(create(ClientFrameSchema, { kind: { case: "disconnect", value: {} } }));
    }
    const late = setTimeout(() => this.#finish(0), 1_000);
    await ending.promise;
    clearTimeout(late);
  }

  /** Ends everything at once and tells nobody. */
  destroy(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#comingBack.stop();
    this.#refresh.stop();
    this.#current?.drop();
    this.#next?.drop();
    this.publishes.close(new ClientFailure(ErrorCode.CANCELLED, "closed"));
    this.requests.close(new ClientFailure(ErrorCode.CANCELLED, "closed"));
  }

  /** Ends the TCP connection. */
  drop(): void {
    this.#current?.drop();
  }

  #open(url: string): Connection {
    const { subprotocols } = this.#options;
    const address = this.#breaks.has("token-in-url") ? `${url}?token=${this.#comingBack.token}` : url;
    return new Connection(
      address,
      subprotocols,
      {
        opened: (connection) => this.#hello(connection),
        frame: (connection, frame) => this.#frame(connection, frame),
        ended: (connection, ended) => this.#ended(connection, ended),
      },
      this.#breaks,
    );
  }

  #hello(connection: Connection): void {
    const handOver = connection === this.#next;
    if (handOver) this.requests.hold();
    const session = this.#session;
    this.#attempt = session === undefined ? 1 : this.#attempt + (this.#breaks.has("attempt-not-raised") ? 0 : 1);
    const secret = this.#breaks.has("oldest-secret") ? session?.oldestSecret : session?.secret;
    const value = helloOf({
      token: this.#comingBack.token,
      attempt: this.#attempt,
      subscriptions: this.subscriptions.forHello(),
      resume: session && { sessionId: session.id, secret: secret ?? "", handOver },
      breaks: this.#breaks,
    });
    connection.send(create(ClientFrameSchema, { kind: { case: "hello", value } }));
    if (this.#breaks.has("ping-before-welcome")) this.#ping(connection);
  }

  #ping(connection: Connection): void {
    const sentAtUs = this.#breaks.has("ping-without-time") ? 0n : BigInt(Date.now()) * 1000n;
    connection.send(create(ClientFrameSchema, { id: 1, kind: { case: "ping", value: { sentAtUs } } }));
  }

  #frame(connection: Connection, frame: ServerFrame): void {
    const { id, kind } = frame;
    if (frame.$unknown !== undefined && this.#breaks.has("unknown-fields-refused")) return this.#give(connection, 4001);
    switch (kind.case) {
      case "welcome":
        return this.#welcomed(connection, kind.value);
      case "ping":
        return this.#pong(connection, id, kind.value.sentAtUs);
      case "reply":
        if (this.publishes.reply(id, kind.value) || this.requests.reply(id, kind.value)) return;
        if (this.#breaks.has("unasked-replies-refused")) this.#give(connection, 4001);
        return;
      case "rpc":
        if (this.features.has("server_rpc")) return this.calls.call(connection, id, kind.value);
        return refuse(connection, id, ErrorCode.UNIMPLEMENTED, "not in force");
      case "goaway":
        return this.#going(connection, kind.value);
      case "handedOver":
        if (connection === this.#current && this.#next !== undefined) this.#moved(false);
        return;
      case "dropped":
        return this.#events.dropped(kind.value.count);
      case "error":
        if (this.#breaks.has("error-frames-close")) this.#give(connection, 1000);
        return;
      case "pong":
        return;
      case undefined:
        if (this.#breaks.has("unknown-frames-refused")) return this.#give(connection, 4001);
        if (id !== 0 && !this.#breaks.has("unknown-frames-unanswered")) {
          refuse(connection, id, ErrorCode.UNIMPLEMENTED, "not known");
        }
        return;
      default:
        if (connection === this.#next && this.#held !== undefined) this.#held.push(frame);
        else this.#deliver(frame);
    }
  }

  #deliver(frame: ServerFrame): void {
    try {
      this.#handOver(frame);
    } catch {
      if (this.#current !== undefined) this.#give(this.#current, 4001);
    }
  }

  #handOver({ kind }: ServerFrame): void {
    if (kind.case === "message") this.subscriptions.message(kind.value);
    if (kind.case === "skip") this.subscriptions.skip(kind.value);
    if (kind.case === "subscription") this.subscriptions.event(kind.value);
    if (kind.case === "presenceEvent") this.subscriptions.presence(kind.value);
  }

  #pong(connection: Connection, id: number, pingSentAtUs: bigint): void {
    if (id === 0 && this.#breaks.has("no-pong-for-id-0")) return;
    const nowUs = this.#breaks.has("pong-without-times") ? 0n : BigInt(Date.now()) * 1000n;
    const value = { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs };
    const answered = this.#breaks.has("pong-without-id") ? 0 : id;
    connection.send(create(ClientFrameSchema, { id: answered, kind: { case: "pong", value } }));
  }

  #welcomed(connection: Connection, welcome: Welcome): void {
    const { resumed, heartbeatIntervalMs, heartbeatTimeoutMs, limits, features } = welcome;
    this.#welcomes.set(connection, welcome);
    if (!resumed) {
      this.publishes.forget();
      this.subscriptions.forget();
    }
    const oldestSecret = (resumed && this.#session?.oldestSecret) || welcome.resumeSecret;
    const { sessionId: id, resumeSecret: secret } = welcome;
    this.#session = secret === "" ? undefined : { id, secret, oldestSecret, attempt: this.#attempt };
    sessionOfThisMachine.last = this.#session;
    this.features = new Set(this.#breaks.has("features-taken-for-granted") ? servedFeatures : features);
    this.subscriptions.durable = this.features.has("durable");
    this.#comingBack.welcomed(welcome.reconnectWindowMs);
    if (limits !== undefined) connection.maxFrameBytes = limits.maxFrameBytes || Number.POSITIVE_INFINITY;
    connection.listen(heartbeatIntervalMs + heartbeatTimeoutMs);
    this.#refresh.start(welcome.tokenExpiresAtMs);
    if (this.#breaks.has("second-hello")) this.#hello(connection);
    this.#ping(connection);
    if (connection === this.#next && this.#current !== undefined) return this.#hold(connection, welcome);
    this.#next = undefined;
    this.#current = connection;
    this.subscriptions.welcomed(welcome);
    this.#events.connected(resumed);
    this.publishes.attach(connection);
    this.requests.attach(connection);
  }

  /** The second connection stands, and the first still has something to bring. */
  #hold(connection: Connection, welcome: Welcome): void {
    this.#held = this.#breaks.has("nothing-held-back") ? undefined : [];
    this.subscriptions.welcomed(welcome);
    this.#events.connected(true);
    if (this.#breaks.has("publishes-on-both")) this.publishes.attach(connection);
  }

  #going(connection: Connection, { reconnectAfterMs, url }: Goaway): void {
    if (connection !== this.#current || !this.features.has("hand_over") || this.#session === undefined) return;
    clearTimeout(this.#timer);
    const { url: own, allowedOrigins } = this.#options;
    const target = targetOf(url, this.#url, [own, ...allowedOrigins], this.#breaks);
    const move = () => {
      if (this.#current !== connection || this.#over) return;
      this.#url = target;
      if (this.#breaks.has("former-closed-first")) {
        connection.leave(1000);
        this.#lost(connection);
        this.#current = undefined;
      }
      this.#next = this.#open(target);
    };
    this.#timer = setTimeout(move, this.#breaks.has("moves-at-once") ? 0 : reconnectAfterMs);
  }

  /** The second connection is the only one from now on. `isLost`: the first has ended without handing over. */
  #moved(isLost: boolean): void {
    const former = this.#current;
    const connection = this.#next;
    if (former === undefined || connection === undefined) return;
    const held = this.#held ?? [];
    this.#current = connection;
    this.#next = undefined;
    this.#held = undefined;
    if (isLost && !this.#breaks.has("loss-in-a-move-untold")) this.subscriptions.missed();
    if (this.#breaks.has("unanswered-forgotten-in-a-move")) this.publishes.forget();
    this.#lost(former);
    for (const frame of held) this.#deliver(frame);
    this.publishes.attach(connection);
    this.requests.attach(connection);
  }

  #lost(connection: Connection): void {
    this.publishes.lost(connection);
    this.requests.lost(connection);
  }

  /** Closes because of what the server did. */
  #give(connection: Connection, code: number): void {
    connection.leave(code);
    this.#ended(connection, { code, status: 0 });
  }

  #ended(connection: Connection, ended: Ended): void {
    if (this.#over) return;
    if (this.#ending !== undefined) return this.#finish(0);
    const isKnown = connection === this.#current || connection === this.#next;
    if (!isKnown) {
      if (this.#breaks.has("4201-comes-back") && ended.code === 4201)
        setTimeout(() => this.#over || this.#open(this.#url), 20);
      return;
    }
    const welcome = this.#welcomes.get(connection);
    if (connection === this.#next) return this.#nextEnded(connection, ended, welcome !== undefined);
    if (this.#next !== undefined) {
      if (this.#welcomes.has(this.#next)) return this.#moved(true);
      this.#lost(connection);
      this.#current = undefined; // the second one resumes by itself, or fails like a first one
      return;
    }
    this.#lost(connection);
    this.#current = undefined;
    this.#comeBack(ended, welcome !== undefined);
  }

  #nextEnded(connection: Connection, ended: Ended, wasWelcomed: boolean): void {
    this.#next = undefined;
    this.#held = undefined;
    this.#url = this.#options.url;
    const current = this.#current;
    if (current === undefined || wasWelcomed) {
      current?.drop();
      if (current !== undefined) this.#lost(current);
      this.#lost(connection);
      this.#current = undefined;
      return this.#comeBack(ended, wasWelcomed);
    }
    this.requests.attach(current);
    this.#timer = setTimeout(() => {
      if (!this.#over && this.#current === current) this.#next = this.#open(this.#url);
    }, this.#comingBack.backOff());
  }

  #comeBack(ended: Ended, wasWelcomed: boolean): void {
    this.#url = this.#options.url;
    const { delayMs, sessionEnds } = this.#comingBack.after(ended, wasWelcomed);
    if (delayMs === undefined) return this.#finish(ended.code);
    if (sessionEnds && !this.#breaks.has("ended-session-resumed")) {
      this.#session = undefined;
      this.publishes.forget();
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#over || this.connect(), delayMs);
  }

  #finish(code: number): void {
    if (this.#over) return;
    this.#current?.leave(1000);
    const told = this.#breaks.has("tokens-in-errors")
      ? `the token ${this.#comingBack.token} was refused`
      : "the client is closed";
    this.publishes.close(new ClientFailure(ErrorCode.SESSION_ENDED, told));
    this.requests.close(new ClientFailure(ErrorCode.SESSION_ENDED, told));
    this.destroy();
    this.#events.closed(code);
    this.#ending?.resolve();
  }

  #resubscribe(subscribe: Subscribe): void {
    const { channel } = subscribe;
    if (channel === undefined) return;
    const asked = this.requests.send({ case: "subscribe", value: subscribe }, ({ result }) => {
      if (result.case === "subscribed") this.subscriptions.opened(channel, result.value, false);
    });
    asked.catch(({ code }: ClientFailure) => {
      if (!isOfTheMoment(code) || this.#over) return;
      setTimeout(() => this.#over || this.subscriptions.askAgain(channel), leastWaitMs);
    });
  }
}
