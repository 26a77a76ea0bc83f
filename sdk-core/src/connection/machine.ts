import { CloseCode } from "../wire/schema.ts";
import type { CloseDecision } from "./close-decision.ts";
import { transitionMoving } from "./machine-moving.ts";
import type { Effect, Event, State, TimerName, TokenReason } from "./states.ts";

/** A state and what is to be done on entering it. */
export type Step = readonly [State, readonly Effect[]];

/** How long a connection may take to open and be welcomed. */
export const handshakeTimeoutMs = 15_000;
/** A connection that lived this long makes the next failure the first again. */
const stableAfterMs = 10_000;
/** The longest delay between two attempts, and the delay while the device says that it has no network. */
const maxBackoffMs = 30_000;
const firstBackoffMs = 250;

export const everyTimer: readonly TimerName[] = ["retry", "handshake", "stable", "move", "move-handshake"];

/**
 * The life of a client's connections, without sockets, timers or randomness. `ended` below stands for a connection that ended with a
 * code of its policy: back off, soon (uniform over the server's window, then back off), new token, never.
 *
 * | state | event | next state |
 * |---|---|---|
 * | idle | start | needs-token |
 * | needs-token | token, changed or reason is connect | connecting |
 * | needs-token | token, the same as the refused one | waiting (back-off); after a delay: connecting |
 * | needs-token | token-failed | waiting (back-off); fatal: closed |
 * | connecting | opened | handshaking, hello |
 * | connecting, handshaking | ended, handshake timer | waiting, needs-token or closed, by the policy |
 * | handshaking | welcome | open |
 * | open | ended | waiting, needs-token or closed, by the policy |
 * | open | stable timer | open, back-off begins anew |
 * | open | goaway | moving: due |
 * | moving: due | move timer | moving: connecting; without hand_over: needs-token, the old one closed |
 * | moving: connecting | opened | moving: handshaking, hello with hand_over |
 * | moving: handshaking | welcome, resumed | moving: holding |
 * | moving: handshaking | welcome of a new session | open, on the next |
 * | moving: holding | handed-over, or the old one ended | open, on the next |
 * | moving: before holding | handed-over, or the old one ended | as if the next were the only one |
 * | moving: holding | the next ended for good | closed |
 * | moving | the next ended, move-handshake timer | moving: due (back-off); token: needs-token; never: open, on the old |
 * | waiting | retry timer, online, wake | needs-token |
 * | any with a connection | suspend | waiting: suspended, until wake |
 * | any | stop, or ended for good | closed |
 *
 * Everything else leaves the state as it is.
 */
export function transition(state: State, event: Event): Step {
  if (state.name === "closed") return [state, []];
  switch (event.type) {
    case "stop":
      return finish(state, 0);
    case "suspend":
      return suspend(state);
    case "offline":
      return [{ ...state, online: false }, []];
    case "online":
      return online({ ...state, online: true });
    case "wake":
      return state.name === "waiting" && state.suspended ? askToken(state, state.reason, true) : [state, []];
    case "timer":
      if (event.timer === "stable") return [{ ...state, retries: 0, soonUsed: false }, []];
  }
  switch (state.name) {
    case "idle":
      return event.type === "start" ? askToken(state, "connect") : [state, []];
    case "waiting":
      return event.type === "timer" && event.timer === "retry" ? askToken(state, state.reason, true) : [state, []];
    case "needs-token":
      if (event.type === "token") return tokenCame(state, event.changed);
      if (event.type !== "token-failed") return [state, []];
      return event.fatal ? finish(state, CloseCode.UNAUTHENTICATED) : backOff(state, state.reason, 0);
    case "moving":
      return transitionMoving(state, event);
    default:
      return transitionSingle(state, event);
  }
}

/** With one connection: connecting, handshaking and open. */
function transitionSingle(state: State & { name: "connecting" | "handshaking" | "open" }, event: Event): Step {
  const { connection } = state;
  if (event.type === "timer" && event.timer === "handshake" && state.name !== "open") {
    const [next, effects] = backOff(state, "connect", 0);
    return [next, [...drop(connection, CloseCode.HEARTBEAT_TIMEOUT, "no welcome in time"), ...effects]];
  }
  if (!("connection" in event) || event.connection !== connection) return [state, []];
  if (event.type === "ended") return ended(state, connection, event.code, event.decision);
  if (state.name === "connecting" && event.type === "opened") {
    return [{ ...state, name: "handshaking" }, [{ do: "hello", connection, handOver: false }]];
  }
  if (state.name === "handshaking" && event.type === "welcome") {
    const [next, effects] = open(state, connection);
    return [next, [...effects, ...((event.resumed && state.owed) || [])]];
  }
  if (state.name === "open" && event.type === "goaway") return beginMove(state, connection, event);
  return [state, []];
}

/** A connection serves the session alone. */
export function open(state: State, connection: number): Step {
  const effects: Effect[] = [
    { do: "clear-timers", timers: everyTimer },
    { do: "attach", connection },
    { do: "set-timer", timer: "stable", afterMs: stableAfterMs },
  ];
  return [{ ...common(state), tokenRefused: false, name: "open", connection }, effects];
}

/** After `goaway`. */
export function beginMove(state: State, connection: number, going: { afterMs: number; handOver: boolean }): Step {
  const afterMs = going.afterMs;
  return [
    { ...common(state), name: "moving", connection, stage: "due", next: going.handOver ? 0 : -1 },
    [{ do: "set-timer", timer: "move", afterMs }],
  ];
}

/** The only connection has ended by itself. */
export function ended(state: State, connection: number, code: number, decision: CloseDecision): Step {
  const effects: Effect[] = [
    { do: "clear-timers", timers: everyTimer },
    { do: "lost", connection },
  ];
  if (decision.sessionEnds) effects.push({ do: "forget-session" });
  const [next, more] = afterEnd(state, code, decision);
  return [next, [...effects, ...more]];
}

function afterEnd(state: State, code: number, decision: CloseDecision): Step {
  const { reconnect, minBackoffMs } = decision;
  const reason = reconnect === "new-token" ? tokenReason(code) : "connect";
  if (reconnect === "never") return [{ ...common(state), name: "closed" }, [{ do: "finished", code }]];
  if (reconnect === "new-token") {
    const next = { ...state, tokenRefused: state.name !== "open" && state.name !== "moving" };
    return state.tokenRefused ? backOff(next, reason, minBackoffMs) : askToken(next, reason);
  }
  if (reconnect !== "soon" || state.soonUsed || !state.online) return backOff(state, reason, minBackoffMs);
  return [
    { ...common(state), soonUsed: true, name: "waiting", suspended: false, reason },
    [{ do: "draw-timer", timer: "retry", overMs: "reconnect-window", atLeastMs: minBackoffMs }],
  ];
}

/** What to ask the token provider for after this close code. */
export function tokenReason(code: number): TokenReason {
  return code === CloseCode.TOKEN_REVOKED ? "revoked" : "expired";
}

/** Waits as long as the number of failures demands. Without a network the delay is fixed, and the attempt does not count. */
function backOff(state: State, reason: TokenReason, atLeastMs: number): Step {
  const next: State = { ...common(state), name: "waiting", suspended: false, reason };
  const clear: Effect = { do: "clear-timers", timers: everyTimer };
  if (!state.online) return [next, [clear, { do: "set-timer", timer: "retry", afterMs: maxBackoffMs }]];
  return [{ ...next, retries: state.retries + 1 }, [clear, backOffTimer("retry", state.retries, atLeastMs)]];
}

/** Full jitter: uniform over what doubles with every failure. */
export function backOffTimer(timer: TimerName, retries: number, atLeastMs: number): Effect {
  return { do: "draw-timer", timer, overMs: Math.min(maxBackoffMs, firstBackoffMs * 2 ** retries), atLeastMs };
}

export function askToken(state: State, reason: TokenReason, waited = false): Step {
  return [
    { ...common(state), name: "needs-token", reason, waited },
    [
      { do: "clear-timers", timers: everyTimer },
      { do: "get-token", reason },
    ],
  ];
}

function tokenCame(state: State & { name: "needs-token" }, changed: boolean): Step {
  if (!changed && state.reason !== "connect" && !state.waited) return backOff(state, state.reason, 0);
  const connection = state.issued + 1;
  return [
    { ...common(state), name: "connecting", issued: connection, connection },
    [
      { do: "open", connection },
      { do: "set-timer", timer: "handshake", afterMs: handshakeTimeoutMs },
    ],
  ];
}

function online(state: State): Step {
  return state.name === "waiting" && !state.suspended ? askToken(state, state.reason, true) : [state, []];
}

function suspend(state: State): Step {
  if (state.name === "idle") return [state, []];
  const effects = letGo(state, 1000, "suspended");
  return [{ ...common(state), name: "waiting", suspended: true, reason: "connect" }, effects];
}

/** Ends the session by the close code as well: a connection that is not welcomed yet, or takes the session over, brings no `disconnect`. */
function finish(state: State, code: number): Step {
  const effects = letGo(state, CloseCode.DISCONNECTED, "closed");
  return [{ ...common(state), name: "closed" }, [...effects, { do: "finished", code }]];
}

/** Closes whatever is open. */
function letGo(state: State, code: number, reason: string): Effect[] {
  const effects: Effect[] = [{ do: "clear-timers", timers: everyTimer }];
  if (state.name === "moving") effects.push({ do: "release" });
  for (const connection of connectionsOf(state)) {
    effects.push(...drop(connection, code, reason));
  }
  return effects;
}

function connectionsOf(state: State): number[] {
  if (!("connection" in state)) return [];
  return state.name === "moving" && state.next > 0 ? [state.connection, state.next] : [state.connection];
}

export function close(connection: number, code: number, reason: string): Effect {
  return { do: "close", connection, code, reason };
}

/** Closes a connection that answers nothing any more. */
export function drop(connection: number, code: number, reason: string): Effect[] {
  return [close(connection, code, reason), { do: "lost", connection }];
}

/** What is kept when one state follows another. */
export function common({ issued, retries, soonUsed, tokenRefused, online }: State) {
  return { issued, retries, soonUsed, tokenRefused, online };
}
