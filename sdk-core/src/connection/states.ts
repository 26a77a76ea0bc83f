import type { CloseDecision } from "./close-decision.ts";

/** Why a token is asked for: to connect, because the one in use is about to expire, has expired, or was revoked. */
export type TokenReason = "connect" | "refresh" | "expired" | "revoked";

/** Timers of the state machine. */
export type TimerName = "retry" | "handshake" | "stable" | "move" | "move-handshake";

/** What every state knows. Connections are numbered; `issued` is the number of the newest. */
interface Common {
  issued: number;
  /** Back-off delays drawn since a connection was last stable. */
  retries: number;
  /** Has come back soon, without a back-off, since a connection was last stable. */
  soonUsed: boolean;
  /** The last connection was refused for its token. */
  tokenRefused: boolean;
  /** The device says that it has a network. */
  online: boolean;
}

/**
 * Where the client stands.
 *
 * - `idle`: not started.
 * - `needs-token`: the token provider was asked.
 * - `connecting`: the WebSocket of `connection` is being opened.
 * - `handshaking`: `hello` was sent on `connection`. `owed`: what is to be done when the session goes on, because the
 *   hand-over that it asked for was cut off.
 * - `open`: `connection` serves the session.
 * - `moving`: `connection` still serves it, and `next` is to take over; see {@link MoveStage}.
 * - `waiting`: no connection; for the retry timer, for the network, or, `suspended`, for the program to run again.
 * - `closed`: for good.
 */
export type State = Common &
  (
    | { name: "idle" }
    | {
        name: "needs-token";
        reason: TokenReason;
        /** A delay has passed: also the token that was refused may be tried again. */
        waited: boolean;
      }
    | { name: "connecting"; connection: number }
    | { name: "handshaking"; connection: number; owed?: readonly Effect[] }
    | { name: "open"; connection: number }
    | {
        name: "moving";
        connection: number;
        stage: MoveStage;
        /** 0 before the stage `connecting`. */
        next: number;
        /** The next connection was told to go as well: how long after the move. */
        againAfterMs?: number | undefined;
      }
    | { name: "waiting"; suspended: boolean; reason: TokenReason }
    | { name: "closed" }
  );

/**
 * How far a move is.
 *
 * - `due`: the move timer runs.
 * - `needs-token`: the token was refused by the next node, and a new one was asked for.
 * - `connecting`, `handshaking`: as for a first connection.
 * - `holding`: the next connection serves requests; what it delivers is held until the old one has delivered everything.
 */
export type MoveStage = "due" | "needs-token" | "connecting" | "handshaking" | "holding";

/** What happens to the machine. Events of connections that are not current are ignored. */
export type Event =
  | { type: "start" }
  | { type: "token"; changed: boolean }
  | { type: "token-failed"; fatal: boolean }
  | { type: "opened"; connection: number }
  | { type: "welcome"; connection: number; resumed: boolean }
  | { type: "ended"; connection: number; code: number; decision: CloseDecision }
  | { type: "goaway"; connection: number; afterMs: number; handOver: boolean }
  | { type: "handed-over"; connection: number }
  | { type: "timer"; timer: TimerName }
  | { type: "online" }
  | { type: "offline" }
  | { type: "suspend" }
  | { type: "wake" }
  | { type: "stop" };

/** What the machine wants done, in this order. */
export type Effect =
  | { do: "get-token"; reason: TokenReason }
  /** Open a WebSocket under this number. */
  | { do: "open"; connection: number }
  | { do: "hello"; connection: number; handOver: boolean }
  /** Close a connection and hear nothing more of it. */
  | { do: "close"; connection: number; code: number; reason: string }
  /** The session is served by this connection alone, from now on. */
  | { do: "attach"; connection: number }
  /** Hold what this connection delivers, and publish on it when the old one owes nothing. */
  | { do: "hold"; connection: number }
  /** Deliver what was held. */
  | { do: "release" }
  /** This connection is gone: what it did not answer is unanswered. */
  | { do: "lost"; connection: number }
  /** Live messages may be missing, and the server will not say so. */
  | { do: "missed" }
  | { do: "forget-session" }
  | { do: "set-timer"; timer: TimerName; afterMs: number }
  /** A timer after a delay drawn uniformly from 0 to `overMs` (or the server's reconnect window), at least `atLeastMs`. */
  | { do: "draw-timer"; timer: TimerName; overMs: number | "reconnect-window"; atLeastMs: number }
  | { do: "clear-timers"; timers: readonly TimerName[] }
  /** Closed for good: by the user (0) or with this close code. */
  | { do: "finished"; code: number };

/** The state before anything happened. */
export const initialState: State = {
  name: "idle",
  issued: 0,
  retries: 0,
  soonUsed: false,
  tokenRefused: false,
  online: true,
};
