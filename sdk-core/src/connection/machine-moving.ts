import { CloseCode } from "../wire/schema.ts";
import {
  askToken,
  backOffTimer,
  beginMove,
  close,
  common,
  drop,
  ended,
  everyTimer,
  handshakeTimeoutMs,
  open,
  type Step,
  tokenReason,
} from "./machine.ts";
import type { Effect, Event, State } from "./states.ts";

type Moving = State & { name: "moving" };

/** With two connections, or one that is about to be left; the table is at {@link transition}. */
export function transitionMoving(state: Moving, event: Event): Step {
  if (event.type === "timer") return timerFired(state, event.timer);
  if (state.stage === "needs-token" && event.type === "token") return connectNext(state);
  if (state.stage === "needs-token" && event.type === "token-failed") return tryAgain(state);
  if (!("connection" in event)) return [state, []];
  if (event.connection === state.connection) return oldSays(state, event);
  return state.next > 0 && event.connection === state.next ? nextSays(state, event) : [state, []];
}

function timerFired(state: Moving, timer: string): Step {
  if (timer === "move" && state.stage === "due") {
    if (state.next !== -1) return connectNext(state);
    // The server cannot hand over: there is nothing to gain from a second connection beside the old one.
    const [next, effects] = askToken(state, "connect");
    return [next, [...drop(state.connection, 1000, "moving"), ...effects]];
  }
  if (timer === "move-handshake" && (state.stage === "connecting" || state.stage === "handshaking")) {
    const [next, effects] = tryAgain(state);
    return [next, [...drop(state.next, CloseCode.HEARTBEAT_TIMEOUT, "no welcome in time"), ...effects]];
  }
  return [state, []];
}

function connectNext(state: Moving): Step {
  const next = state.issued + 1;
  return [
    { ...state, issued: next, stage: "connecting", next },
    [
      { do: "open", connection: next },
      { do: "set-timer", timer: "move-handshake", afterMs: handshakeTimeoutMs },
    ],
  ];
}

/** The old connection serves on while the move is tried again. */
function tryAgain(state: Moving): Step {
  return [
    { ...state, retries: state.retries + 1, stage: "due", next: 0 },
    [{ do: "clear-timers", timers: ["move-handshake"] }, backOffTimer("move", state.retries, 0)],
  ];
}

function oldSays(state: Moving, event: Event & { connection: number }): Step {
  if (event.type === "handed-over") return leaveOld(state);
  if (event.type === "goaway" && state.stage === "due") return beginMove(state, state.connection, event);
  if (event.type !== "ended") return [state, []];
  const { code, decision } = event;
  const isClaimed = state.stage === "handshaking" || state.stage === "holding";
  // Replaced is what was taken over by the next one, which is ours, also if that has ended since.
  const isReplaced = code === CloseCode.REPLACED;
  if (decision.reconnect === "never" && !isReplaced) return bothEnd(state, state.connection, state.next, event);
  if (state.stage === "connecting" || (isReplaced && !isClaimed)) return oldIsGone(state);
  // The server takes the move for a hand-over that loses nothing, and does not know that its end was cut off.
  if (isClaimed) return oldIsGone(state, [{ do: "missed" }]);
  const [next, effects] = ended(state, state.connection, code, decision);
  return [next, [{ do: "release" }, ...effects]];
}

/** One has ended for good, and the other with it. */
function bothEnd(state: Moving, one: number, other: number, { code, decision }: Event & { type: "ended" }): Step {
  const effects: Effect[] = [{ do: "release" }];
  if (other > 0) effects.push(...drop(other, 1000, "closed"));
  const [next, more] = ended(state, one, code, decision);
  return [next, [...effects, ...more]];
}

function leaveOld(state: Moving): Step {
  const [next, effects] = oldIsGone(state);
  return [next, [close(state.connection, 1000, "moved"), ...effects]];
}

/** The old connection has delivered everything it will. `owed` is done when the next one serves: more may be missed until then. */
function oldIsGone(state: Moving, owed: Effect[] = []): Step {
  const lost: Effect[] = [{ do: "lost", connection: state.connection }, { do: "release" }];
  switch (state.stage) {
    case "holding":
      return toNext(state, [...owed, ...lost]);
    case "connecting":
    case "handshaking": {
      const effects: Effect[] = [
        ...lost,
        { do: "clear-timers", timers: everyTimer },
        { do: "set-timer", timer: "handshake", afterMs: handshakeTimeoutMs },
      ];
      return [{ ...common(state), name: state.stage, connection: state.next, owed }, effects];
    }
    default: {
      const [next, effects] = askToken(state, "connect");
      return [next, [...lost, ...effects]];
    }
  }
}

function nextSays(state: Moving, event: Event & { connection: number }): Step {
  if (event.type === "opened" && state.stage === "connecting") {
    return [{ ...state, stage: "handshaking" }, [{ do: "hello", connection: state.next, handOver: true }]];
  }
  if (event.type === "welcome" && state.stage === "handshaking") {
    if (event.resumed) {
      return [
        { ...state, stage: "holding" },
        [
          { do: "clear-timers", timers: ["move-handshake"] },
          { do: "hold", connection: state.next },
        ],
      ];
    }
    return leaveOld({ ...state, stage: "holding" });
  }
  if (event.type === "goaway") return [{ ...state, againAfterMs: event.afterMs }, []];
  return event.type === "ended" ? nextEnded(state, event) : [state, []];
}

function toNext(state: Moving, effects: Effect[]): Step {
  const [opened, more] = open(state, state.next);
  if (state.againAfterMs === undefined) return [opened, [...effects, ...more]];
  const [again, evenMore] = beginMove(opened, state.next, { afterMs: state.againAfterMs, handOver: true });
  return [again, [...effects, ...more, ...evenMore]];
}

function nextEnded(state: Moving, event: Event & { type: "ended" }): Step {
  const isForGood = event.decision.reconnect === "never" || event.decision.sessionEnds;
  // Once it is welcomed the session is there, and what ends it there ends it.
  if (isForGood && state.stage === "holding") return bothEnd(state, state.next, state.connection, event);
  const effects: Effect[] = [{ do: "lost", connection: state.next }];
  if (event.decision.sessionEnds) effects.push({ do: "forget-session" });
  if (isForGood) {
    const stay: State = { ...common(state), name: "open", connection: state.connection };
    return [stay, [...effects, { do: "clear-timers", timers: ["move", "move-handshake"] }, { do: "release" }]];
  }
  if (event.decision.reconnect === "new-token" && state.stage === "handshaking") {
    return [
      { ...state, stage: "needs-token", next: 0 },
      [
        ...effects,
        { do: "clear-timers", timers: ["move-handshake"] },
        { do: "get-token", reason: tokenReason(event.code) },
      ],
    ];
  }
  const [next, more] = tryAgain(state);
  return [next, [...effects, ...more]];
}
