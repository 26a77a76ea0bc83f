import { setDeadline } from "../deadline.ts";
import { FanfareError, fromWireError } from "../error.ts";
import type { ResolvedOptions } from "../options.ts";
import type { Ports } from "../ports.ts";
import type { StatusEvent } from "../status.ts";
import { TokenRefresh } from "../token-refresh.ts";
import { TokenSource } from "../token-source.ts";
import { followedUrl } from "../url.ts";
import { ErrorCode, type Goaway, type ServerFrame, type Welcome } from "../wire/schema.ts";
import { type CloseDecision, closeDecision, errorCodeOfClose } from "./close-decision.ts";
import type { ConnectorEvents } from "./connector-events.ts";
import { FrameTap } from "./frame-tap.ts";
import { Link, type RoundTrip } from "./link.ts";
import { transition } from "./machine.ts";
import { type Effect, type Event, initialState, type State, type TimerName, type TokenReason } from "./states.ts";

/** The features this client implements, under the protocol's names. */
const features = [
  ...["resume", "hand_over", "presence", "report", "server_rpc", "client_rpc", "durable", "history", "cursor"],
] as const;
/** Frames that are held during a move; more than that, and the old connection is not waited for any longer. */
const maxHeldFrames = 10_000;

/** Carries out what the state machine wants: opens and closes connections, runs timers, asks for tokens. */
export class Connector {
  readonly #ports: Ports;
  readonly #options: ResolvedOptions;
  readonly #events: ConnectorEvents;
  readonly #tokens: TokenSource;
  readonly #refresh: TokenRefresh;
  readonly #links = new Map<number, Link>();
  readonly #timers = new Map<TimerName, () => void>();
  readonly #unwatch: (() => void) | undefined;
  #state: State = initialState;
  #queue: Event[] = [];
  #running = false;
  /** The newest. */
  #welcomed: Welcome | undefined;
  /** Resumes its session; empty: that has ended. Lives in memory only, so that a copy of a page is a session of its own. */
  #secret = "";
  /** Its session began with it, and that was not told yet. */
  #fresh = true;
  #lastAttempt = 0;
  #url: string;
  /** The address at which the newest `welcome` came. */
  #welcomedAt = "";
  #held: ServerFrame[] | undefined;
  #heldWelcome: Welcome | undefined;
  #goaway: Goaway | undefined;
  #lastError: FanfareError | undefined;
  #serverError: FanfareError | undefined;
  #delayMs = 0;
  /** The newest answered heartbeat. */
  latency: RoundTrip | undefined;

  constructor(ports: Ports, options: ResolvedOptions, events: ConnectorEvents) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
    this.#url = options.url;
    this.#tokens = new TokenSource(ports.clock, options.getToken);
    this.#refresh = new TokenRefresh(ports.clock, this.#tokens, {
      send: (token) =>
        this.#state.name === "open" || this.#state.name === "moving" ? events.refresh(token) : undefined,
      clockOffsetMs: () => this.latency?.clockOffsetMs ?? 0,
      refreshed: (expiresAtMs) => events.status({ type: "token-refreshed", expiresAt: new Date(expiresAtMs) }),
      failed: (thrown) => void this.#tokenFailed(thrown),
    });
    this.#unwatch = ports.lifecycle?.watch((event) => {
      if (event === "check" || event === "offline" || event === "online")
        for (const link of this.#links.values()) link.probe();
      if (event !== "check") this.#dispatch({ type: event });
    });
  }

  get state(): State {
    return this.#state;
  }

  /** The newest reason why a connection ended. */
  get lastError(): FanfareError | undefined {
    return this.#lastError;
  }

  start(): void {
    this.#dispatch({ type: "start" });
  }

  /** Ends the session and the connection. Resolves when the socket is closed, after a second at the latest. */
  async stop(reason: string): Promise<void> {
    const link = this.#current();
    if (this.#state.name === "open" || this.#state.name === "moving") link?.send({ disconnect: { reason } });
    const closed =
      link &&
      new Promise<void>((resolve) => {
        const timer = this.#ports.clock.setTimer(1000, resolve);
        link.onClosed = () => {
          this.#ports.clock.clearTimer(timer);
          resolve();
        };
      });
    this.#dispatch({ type: "stop" });
    await closed;
  }

  #current(): Link | undefined {
    return "connection" in this.#state ? this.#links.get(this.#state.connection) : undefined;
  }

  /** Events that come while effects are carried out wait for their turn. */
  #dispatch(event: Event): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const before = this.#state;
        const [state, effects] = transition(before, next);
        this.#state = state;
        for (const effect of effects) this.#carryOut(effect);
        if (state !== before) this.#announce(before, state);
      }
    } finally {
      this.#running = false;
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "get-token":
        this.#askToken(effect.reason);
        break;
      case "open":
        this.#open(effect.connection);
        break;
      case "hello":
        this.#hello(effect.connection, effect.handOver);
        break;
      case "close":
        this.#links.get(effect.connection)?.close(effect.code, effect.reason);
        break;
      case "attach":
      case "hold": {
        const link = this.#links.get(effect.connection);
        if (link === undefined) break;
        if (effect.do === "attach") this.#events.attached(link, this.#fresh);
        else this.#events.moving(link);
        break;
      }
      case "release":
        this.#release();
        break;
      case "lost": {
        const link = this.#links.get(effect.connection);
        this.#links.delete(effect.connection);
        if (link !== undefined) this.#events.lost(link);
        break;
      }
      case "missed":
        this.#events.missed();
        break;
      case "forget-session":
        this.#secret = "";
        break;
      case "set-timer":
        this.#setTimer(effect.timer, effect.afterMs);
        break;
      case "draw-timer": {
        const windowMs = this.#welcomed?.reconnectWindowMs ?? 2000;
        const overMs = effect.overMs === "reconnect-window" ? windowMs : effect.overMs;
        this.#setTimer(effect.timer, Math.round(Math.max(effect.atLeastMs, this.#ports.random.next() * overMs)));
        break;
      }
      case "clear-timers":
        for (const timer of effect.timers) this.#timers.get(timer)?.();
        break;
      case "finished":
        this.#finish(effect.code);
    }
  }

  #setTimer(name: TimerName, delayMs: number): void {
    this.#timers.get(name)?.();
    if (name === "retry") this.#delayMs = delayMs;
    const { clock } = this.#ports;
    const clear = setDeadline(clock, clock.now() + delayMs, () => {
      this.#timers.delete(name);
      this.#dispatch({ type: "timer", timer: name });
    });
    this.#timers.set(name, clear);
  }

  #askToken(reason: TokenReason): void {
    const done = (changed: boolean) => this.#dispatch({ type: "token", changed });
    if (reason === "connect" && this.#tokens.fresh) return done(true);
    this.#tokens.ask(reason).then(
      ({ token, changed }) => {
        this.#tokens.use(token);
        done(changed);
      },
      (thrown: unknown) => {
        if (this.#state.name === "closed") return;
        const error = this.#tokenFailed(thrown);
        this.#dispatch({ type: "token-failed", fatal: thrown instanceof FanfareError && !error.retryable });
      },
    );
  }

  #tokenFailed(thrown: unknown): FanfareError {
    const error = FanfareError.from(thrown, ErrorCode.UNAUTHENTICATED);
    this.#lastError = error;
    this.#events.status({ type: "error", source: "token", error });
    return error;
  }

  #open(number: number): void {
    const { onFrame } = this.#options;
    const report = (thrown: unknown) =>
      this.#events.status({ type: "error", source: "callback", error: FanfareError.from(thrown) });
    const tap = onFrame && new FrameTap(number, onFrame, report);
    const link: Link = new Link(
      number,
      this.#url,
      this.#ports,
      {
        opened: () => this.#dispatch({ type: "opened", connection: number }),
        frame: (from, frame) => this.#frame(from, frame),
        ended: (from, code, reason, decision) => this.#ended(from, code, reason, decision),
      },
      (roundTrip) => {
        this.latency = roundTrip;
        this.#events.status({ type: "latency", ...roundTrip });
      },
      tap,
      this.#url === this.#welcomedAt,
    );
    this.#links.set(number, link);
  }

  #hello(connection: number, handOver: boolean): void {
    const secret = this.#secret;
    const resume = secret ? { sessionId: this.#welcomed?.sessionId, secret, handOver } : undefined;
    this.#lastAttempt = resume === undefined ? 1 : this.#lastAttempt + 1;
    this.#links.get(connection)?.send({
      hello: {
        token: this.#tokens.token,
        minRevision: 1,
        maxRevision: 1,
        features,
        client: this.#ports.client,
        resume,
        attempt: this.#lastAttempt,
        subscriptions: this.#events.subscriptions(handOver),
        heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      },
    });
  }

  #ended(link: Link, code: number, reason: string, decision: CloseDecision): void {
    const { name } = this.#state;
    const text = reason || `the connection was lost (${code})`;
    // What the server said in an `error` frame just before says more than the close reason can.
    const cause = this.#serverError;
    this.#serverError = undefined;
    this.#lastError = new FanfareError(errorCodeOfClose(code), text, { closeCode: code, ...(cause && { cause }) });
    // Where a server has sent this client may be gone before the address it was given.
    if (link !== this.#current() || name === "connecting" || name === "handshaking") this.#url = this.#options.url;
    this.#dispatch({ type: "ended", connection: link.number, code, decision });
  }

  #frame(link: Link, frame: ServerFrame): void {
    if (frame.message !== undefined) this.#deliver(link, frame);
    else if (frame.reply !== undefined) this.#events.reply(frame.id, frame.reply);
    else if (frame.welcome !== undefined) this.#welcome(link, frame.welcome);
    else if (frame.rpc !== undefined) this.#events.rpc(link, frame.id, frame.rpc);
    else if (frame.goaway !== undefined) this.#onGoaway(link, frame.goaway);
    else if (frame.handedOver !== undefined) this.#dispatch({ type: "handed-over", connection: link.number });
    else if (frame.error !== undefined) {
      this.#serverError = fromWireError(frame.error);
      this.#events.status({ type: "error", source: "server", error: this.#serverError });
    } else if (frame.dropped !== undefined) this.#events.status({ type: "dropped", count: frame.dropped.count });
    else if (frame.skip ?? frame.subscription ?? frame.presenceEvent) this.#deliver(link, frame);
    else if (frame.id !== 0) {
      const error = { code: ErrorCode.UNIMPLEMENTED, message: "this client does not know the frame" };
      link.send({ id: frame.id, rpcResult: { error } });
    }
  }

  #deliver(link: Link, frame: ServerFrame): void {
    const state = this.#state;
    if (this.#held === undefined || state.name !== "moving" || link.number === state.connection) {
      return this.#events.deliver(frame);
    }
    this.#held.push(frame);
    if (this.#held.length <= maxHeldFrames) return;
    // Too much to hold: the old connection is given up, with whatever it still had.
    this.#links.get(state.connection)?.close(1000, "moved");
    this.#dispatch({ type: "ended", connection: state.connection, code: 1000, decision: closeDecision(1000) });
  }

  #release(): void {
    const held = this.#held ?? [];
    const welcome = this.#heldWelcome;
    this.#held = undefined;
    this.#heldWelcome = undefined;
    if (welcome !== undefined) this.#events.subscribed(welcome, false);
    for (const frame of held) this.#events.deliver(frame);
  }

  #welcome(link: Link, welcome: Welcome): void {
    const state = this.#state;
    const moving = state.name === "moving" && state.stage === "handshaking" && link.number === state.next;
    const first = state.name === "handshaking" && link.number === state.connection;
    if (!moving && !first) return;
    const fresh = !welcome.resumed;
    this.#welcomed = welcome;
    this.#secret = welcome.resumeSecret;
    this.#fresh = fresh;
    this.#lastAttempt = Math.max(this.#lastAttempt, welcome.attempt);
    this.#welcomedAt = this.#url;
    this.#serverError = undefined;
    link.welcomed(welcome.heartbeatIntervalMs, welcome.heartbeatTimeoutMs, welcome.limits?.maxFrameBytes ?? 0);
    this.#refresh.schedule(welcome.tokenExpiresAtMs, welcome.serverTimeUs / 1000);
    this.#events.welcomed(link, welcome, fresh);
    if (moving && !fresh) {
      this.#held ??= [];
      this.#heldWelcome = welcome;
    } else this.#events.subscribed(welcome, fresh);
    this.#dispatch({ type: "welcome", connection: link.number, resumed: welcome.resumed });
  }

  #onGoaway(link: Link, goaway: Goaway): void {
    this.#goaway = goaway;
    this.#url = followedUrl(this.#url, goaway.url, this.#options.allowedOrigins) ?? this.#url;
    const { reconnectAfterMs: afterMs } = goaway;
    const handOver = this.#welcomed?.features.includes("hand_over") ?? false;
    this.#dispatch({ type: "goaway", connection: link.number, afterMs, handOver });
  }

  #announce(before: State, state: State): void {
    const tell = (event: StatusEvent) => this.#events.status(event);
    if (state.name === "connecting" && before.name !== "moving")
      tell({ type: "connecting", attempt: state.retries + 1 });
    else if (state.name === "open" && before.name !== "open") {
      const { sessionId = "", nodeId = "" } = this.#welcomed ?? {};
      tell({ type: "open", resumed: !this.#fresh, sessionId, nodeId });
      this.#fresh = false;
    } else if (state.name === "moving" && before.name !== "moving") {
      tell({ type: "moving", reason: this.#goaway?.reason ?? 0 });
    } else if (state.name === "waiting" && (before.name !== "waiting" || state.suspended !== before.suspended)) {
      tell(
        state.suspended ? { type: "suspended" } : { type: "waiting", delayMs: this.#delayMs, error: this.#lastError },
      );
    }
  }

  #finish(code: number): void {
    this.#unwatch?.();
    this.#refresh.stop();
    this.#tokens.stop();
    const error = code === 0 ? undefined : this.#lastError;
    this.#events.finished(error);
    this.#events.status({ type: "closed", error });
  }
}
