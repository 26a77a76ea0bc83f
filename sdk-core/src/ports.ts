/** Names a timer of a {@link Clock}. */
export type TimerHandle = unknown;

/** Time. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC, by the device's clock. May jump. */
  now(): number;
  /** Milliseconds since any moment, with fractions. Never goes back. */
  monotonic(): number;
  /** Calls back once after `delayMs`, at most 2^31 - 1, or later. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Calls off a timer; one that has fired is ignored. */
  clearTimer(timer: TimerHandle): void;
}

/** Chance. */
export interface Random {
  /** A number from 0, inclusive, to 1, exclusive. */
  next(): number;
}

/** What a socket tells. Nothing comes after `closed`. */
export interface SocketEvents {
  /** The WebSocket stands, with this subprotocol. */
  opened(subprotocol: string): void;
  /** A whole WebSocket message; text came in a text message. The bytes are not changed afterwards. */
  message(data: Uint8Array | string): void;
  /**
   * The WebSocket has ended, or never stood: 1006 and no reason if nothing was told. `refusal`, where the runtime tells it: the HTTP
   * status that refused the upgrade, and its Retry-After, 0 if there was none.
   */
  closed(code: number, reason: string, refusal?: { status: number; retryAfterMs: number }): void;
}

/** One WebSocket. */
export interface Socket {
  /** Sends one binary message. Ignored unless the socket is open. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Begins to close, or gives up connecting. `closed` follows, soon or late or never. */
  close(code: number, reason: string): void;
  /** Bytes that were given to `send` and are not yet on the network. */
  readonly bufferedBytes: number;
}

/** Opens WebSockets. */
export interface SocketFactory {
  /** Never throws: what goes wrong is told by `closed`, and not before this call has returned. */
  open(url: string, subprotocols: readonly string[], events: SocketEvents): Socket;
}

/**
 * What happens to the program as a whole.
 *
 * - `online`, `offline`: the device got or lost its network.
 * - `suspend`: the program is about to stop running for a while; connections are closed, the session is kept.
 * - `wake`: it runs again.
 * - `check`: it may have slept; connections are proved.
 */
export type LifecycleEvent = "online" | "offline" | "suspend" | "wake" | "check";

/** Watches the program's life. */
export interface Lifecycle {
  /** Calls back on every event until the returned function is called. */
  watch(callback: (event: LifecycleEvent) => void): () => void;
}

/** Everything that the client needs from its runtime. */
export interface Ports {
  /** Time and timers. */
  clock: Clock;
  /** For delays that have to differ from client to client. */
  random: Random;
  /** WebSockets. */
  sockets: SocketFactory;
  /** Absent where programs only run or end. */
  lifecycle?: Lifecycle | undefined;
  /** Sent in `hello`, for the server's logs. */
  client: { name: string; version: string; platform: string };
}
