import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CloseCode } from "../wire/schema.ts";
import { closeDecision } from "./close-decision.ts";
import { transition } from "./machine.ts";
import { type Effect, type Event, initialState, type State, type TimerName } from "./states.ts";

const ended = (connection: number, code: number): Event => ({
  type: "ended",
  connection,
  code,
  decision: closeDecision(code),
});
const token: Event = { type: "token", changed: true };
const goaway: Event = { type: "goaway", connection: 1, afterMs: 300, handOver: true };
const toOpen: Event[] = [
  { type: "start" },
  token,
  { type: "opened", connection: 1 },
  { type: "welcome", connection: 1, resumed: false },
];
const toMoving: Event[] = [...toOpen, goaway, { type: "timer", timer: "move" }];
const toHolding: Event[] = [
  ...toMoving,
  { type: "opened", connection: 2 },
  { type: "welcome", connection: 2, resumed: true },
];

/** The state after events, and what the last one wanted done. */
function after(...events: Event[]): { state: State; effects: readonly Effect[]; did: string[] } {
  let state = initialState;
  let effects: readonly Effect[] = [];
  for (const event of events) [state, effects] = transition(state, event);
  const did = effects.filter((effect) => effect.do !== "clear-timers").map((effect) => effect.do);
  return { state, effects, did };
}

describe("connecting", () => {
  it("asks for a token, opens a socket, says hello and is open with the welcome", () => {
    expect(after({ type: "start" }).effects).toContainEqual({ do: "get-token", reason: "connect" });
    expect(after({ type: "start" }, token).effects).toContainEqual({ do: "open", connection: 1 });
    expect(after(...toOpen.slice(0, 3)).effects).toEqual([{ do: "hello", connection: 1, handOver: false }]);
    expect(after(...toOpen).state).toMatchObject({ name: "open", connection: 1 });
    expect(after(...toOpen).did).toEqual(["attach", "set-timer"]);
  });

  it("gives up a connection that brings no welcome within 15 s, and backs off [FF-HS-019]", () => {
    for (const events of [toOpen.slice(0, 2), toOpen.slice(0, 3)]) {
      const { state, did } = after(...events, { type: "timer", timer: "handshake" });
      expect(state.name).toBe("waiting");
      expect(did).toEqual(["close", "lost", "draw-timer"]);
    }
  });

  it("waits and asks again when the token provider fails, and closes when it says that trying is in vain", () => {
    const failed = after({ type: "start" }, { type: "token-failed", fatal: false });
    expect(failed.state).toMatchObject({ name: "waiting", retries: 1 });
    expect(after({ type: "start" }, { type: "token-failed", fatal: true }).state.name).toBe("closed");
  });
});

describe("after a connection has ended", () => {
  it("never comes back after 4000-4099 and standard codes that refuse for good [FF-CL-001]", () => {
    for (const code of [4000, 4004, 4007, 4009, 4010, 4099, 1002, 1003, 1007, 1009, 1010]) {
      const { state, effects } = after(...toOpen, ended(1, code));
      expect(state.name, `${code}`).toBe("closed");
      expect(effects).toContainEqual({ do: "finished", code });
    }
  });

  it("backs off after 4100-4199, standard and unknown codes, not below the code's own least delay [FF-BO-002]", () => {
    for (const code of [4100, 4101, 4150, 1000, 1001, 1005, 1006, 1011, 3000, 4999]) {
      const { effects } = after(...toOpen, ended(1, code));
      const atLeastMs = code === 4100 ? 500 : 0;
      expect(effects, `${code}`).toContainEqual({ do: "draw-timer", timer: "retry", overMs: 250, atLeastMs });
    }
  });

  it("doubles what the delay is drawn from up to 30 s, and begins anew only with a stable connection [FF-BO-001, FF-BO-003]", () => {
    const events: Event[] = [{ type: "start" }];
    const over: unknown[] = [];
    for (let connection = 1; connection <= 9; connection++) {
      events.push(token, ended(connection, 1006));
      const draw = after(...events).effects.find((effect) => effect.do === "draw-timer");
      over.push(draw?.overMs);
      events.push({ type: "timer", timer: "retry" });
    }
    expect(over).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    events.push(token, { type: "opened", connection: 10 }, { type: "welcome", connection: 10, resumed: true });
    expect(after(...events).state.retries).toBe(9);
    expect(after(...events, { type: "timer", timer: "stable" }).state.retries).toBe(0);
  });

  it("comes back once over the server's window after 4200-4299, then backs off [FF-BO-004, FF-BO-005]", () => {
    const soon = after(...toOpen, ended(1, 4299));
    expect(soon.effects).toContainEqual({ do: "draw-timer", timer: "retry", overMs: "reconnect-window", atLeastMs: 0 });
    const again = after(...toOpen, ended(1, 4200), { type: "timer", timer: "retry" }, token, ended(2, 4200));
    expect(again.effects).toContainEqual({ do: "draw-timer", timer: "retry", overMs: 250, atLeastMs: 0 });
  });

  it("asks for a new token at once after 4300-4399, and backs off if it is the same [FF-BO-006, FF-BO-007]", () => {
    const expired = after(...toOpen, ended(1, 4300));
    expect(expired.state).toMatchObject({ name: "needs-token", reason: "expired" });
    expect(after(...toOpen, ended(1, 4301)).state).toMatchObject({ reason: "revoked" });
    const same = after(...toOpen, ended(1, 4300), { type: "token", changed: false });
    expect(same.state).toMatchObject({ name: "waiting", reason: "expired" });
    const retry: Event[] = [
      { type: "timer", timer: "retry" },
      { type: "token", changed: false },
    ];
    const late = after(...toOpen, ended(1, 4300), { type: "token", changed: false }, ...retry);
    expect(late.state).toMatchObject({ name: "connecting", connection: 2 });
    expect(after(...toOpen, ended(1, 4300), token).state).toMatchObject({ name: "connecting", connection: 2 });
  });

  it("backs off when a second token in a row is refused before any welcome [FF-BO-007]", () => {
    const refusedOnce = after(...toOpen.slice(0, 3), ended(1, 4300));
    expect(refusedOnce.state.name).toBe("needs-token");
    const refusedTwice = after(...toOpen.slice(0, 3), ended(1, 4300), token, ended(2, 4300));
    expect(refusedTwice.state).toMatchObject({ name: "waiting", reason: "expired" });
  });

  it("forgets the session after codes that end it [FF-SE-017]", () => {
    expect(after(...toOpen, ended(1, CloseCode.SESSION_LOST)).did).toContain("forget-session");
    expect(after(...toOpen, ended(1, CloseCode.GOING_AWAY)).did).not.toContain("forget-session");
  });
});

describe("network and program", () => {
  it("does not burn attempts without a network, and comes back at once with it", () => {
    const offline = after(...toOpen, { type: "offline" }, ended(1, 1006));
    expect(offline.state).toMatchObject({ name: "waiting", retries: 0 });
    expect(offline.effects).toContainEqual({ do: "set-timer", timer: "retry", afterMs: 30_000 });
    const online = after(...toOpen, { type: "offline" }, ended(1, 1006), { type: "online" });
    expect(online.state.name).toBe("needs-token");
  });

  it("lets its connections go when suspended, keeps the session, and comes back when it runs again", () => {
    const suspended = after(...toHolding, { type: "suspend" });
    expect(suspended.state).toMatchObject({ name: "waiting", suspended: true });
    expect(suspended.did).toEqual(["release", "close", "lost", "close", "lost"]);
    expect(after(...toOpen, { type: "suspend" }, { type: "online" }).state.name).toBe("waiting");
    expect(after(...toOpen, { type: "suspend" }, { type: "wake" }).state.name).toBe("needs-token");
  });
});

describe("moving", () => {
  it("opens a second connection when its time has come, and not earlier [FF-GO-006, FF-GO-008]", () => {
    const due = after(...toOpen, goaway);
    expect(due.state).toMatchObject({ name: "moving", stage: "due", connection: 1 });
    expect(due.effects).toEqual([{ do: "set-timer", timer: "move", afterMs: 300 }]);
    expect(after(...toMoving).effects).toContainEqual({ do: "open", connection: 2 });
    expect(after(...toHolding.slice(0, -1)).effects).toEqual([{ do: "hello", connection: 2, handOver: true }]);
  });

  it("holds what the next one brings until the old one has handed over [FF-GO-010]", () => {
    expect(after(...toHolding).did).toEqual(["hold"]);
    const moved = after(...toHolding, { type: "handed-over", connection: 1 });
    expect(moved.state).toMatchObject({ name: "open", connection: 2 });
    expect(moved.did).toEqual(["close", "lost", "release", "attach", "set-timer"]);
  });

  it("says that something may be missing when the old one ends without handing over [FF-GO-011]", () => {
    expect(after(...toHolding, ended(1, 1006)).did).toEqual(["missed", "lost", "release", "attach", "set-timer"]);
    const early = after(...toHolding.slice(0, -1), ended(1, 4200));
    expect(early.state).toMatchObject({ name: "handshaking", connection: 2 });
    expect(early.did).not.toContain("missed"); // more is missed until the next one serves
    const later = after(...toHolding.slice(0, -1), ended(1, 4200), { type: "welcome", connection: 2, resumed: true });
    expect(later.did).toEqual(["attach", "set-timer", "missed"]);
    const anew = after(...toHolding.slice(0, -1), ended(1, 4200), { type: "welcome", connection: 2, resumed: false });
    expect(anew.did).not.toContain("missed"); // a new session is told so for every channel
    const earlier = after(...toMoving, ended(1, 4200));
    expect(earlier.state).toMatchObject({ name: "connecting", connection: 2 });
    expect(earlier.did).not.toContain("missed"); // the server will answer an ordinary resume with gaps
  });

  it("is not ended by its own next connection taking over", () => {
    expect(after(...toHolding, ended(1, CloseCode.REPLACED)).state).toMatchObject({ name: "open", connection: 2 });
    expect(after(...toHolding, ended(1, CloseCode.KICKED)).state.name).toBe("closed");
    const late = after(...toHolding, ended(2, 1006), ended(1, CloseCode.REPLACED));
    expect(late.state, "though that has ended since").toMatchObject({ name: "needs-token", reason: "connect" });
    expect(late.did).toEqual(["lost", "release", "get-token"]);
  });

  it("tries again with back-off while the old one serves on", () => {
    for (const fail of [ended(2, 1006), { type: "timer", timer: "move-handshake" } as const]) {
      const failed = after(...toMoving, fail);
      expect(failed.state).toMatchObject({ name: "moving", stage: "due", connection: 1 });
      expect(failed.effects).toContainEqual({ do: "draw-timer", timer: "move", overMs: 250, atLeastMs: 0 });
    }
    expect(after(...toMoving, ended(2, 1006), { type: "timer", timer: "move" }).effects).toContainEqual({
      do: "open",
      connection: 3,
    });
  });

  it("gets a new token when the next node refuses the one in use", () => {
    const refused = after(...toMoving, { type: "opened", connection: 2 }, ended(2, 4300));
    expect(refused.state).toMatchObject({ name: "moving", stage: "needs-token" });
    const retried = after(...toMoving, { type: "opened", connection: 2 }, ended(2, 4300), token);
    expect(retried.effects).toContainEqual({ do: "open", connection: 3 });
  });

  it("stays where it is when the next one must never come back", () => {
    expect(after(...toMoving, ended(2, CloseCode.STALE_ATTEMPT)).state).toMatchObject({ name: "open", connection: 1 });
  });

  it("is ended by what ends the session on the next one, once that has it [FF-CL-001]", () => {
    const { state, did } = after(...toHolding, ended(2, CloseCode.KICKED));
    expect(state.name).toBe("closed");
    expect(did).toEqual(["release", "close", "lost", "lost", "forget-session", "finished"]);
  });

  it("begins a new session on the next one when the server does not know the old one", () => {
    const fresh = after(...toHolding.slice(0, -1), { type: "welcome", connection: 2, resumed: false });
    expect(fresh.state).toMatchObject({ name: "open", connection: 2 });
    expect(fresh.did).toEqual(["close", "lost", "release", "attach", "set-timer"]);
  });

  it("moves again when the next one is told to go before the old one has handed over", () => {
    const chain: Event[] = [...toHolding, { type: "goaway", connection: 2, afterMs: 70, handOver: true }];
    const moved = after(...chain, { type: "handed-over", connection: 1 });
    expect(moved.state).toMatchObject({ name: "moving", stage: "due", connection: 2 });
    expect(moved.effects).toContainEqual({ do: "set-timer", timer: "move", afterMs: 70 });
  });

  it("without hand_over closes the old connection first", () => {
    const plain = after(...toOpen, { ...goaway, handOver: false } as Event, { type: "timer", timer: "move" });
    expect(plain.state.name).toBe("needs-token");
    expect(plain.did).toEqual(["close", "lost", "get-token"]);
  });
});

describe("any sequence of events", () => {
  const timers: TimerName[] = ["retry", "handshake", "stable", "move", "move-handshake"];
  const connection = fc.integer({ min: 1, max: 5 });
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.constantFrom<Event>(
      { type: "start" },
      { type: "online" },
      { type: "offline" },
      { type: "suspend" },
      { type: "wake" },
      { type: "token-failed", fatal: false },
    ),
    fc.record({ type: fc.constant("token" as const), changed: fc.boolean() }),
    fc.record({ type: fc.constant("opened" as const), connection }),
    fc.record({ type: fc.constant("welcome" as const), connection, resumed: fc.boolean() }),
    fc.record({ type: fc.constant("handed-over" as const), connection }),
    fc.record({
      type: fc.constant("goaway" as const),
      connection,
      afterMs: fc.constant(5),
      handOver: fc.boolean(),
    }),
    fc
      .tuple(connection, fc.constantFrom(1006, 4009, 4100, 4200, 4201, 4203, 4300, 4007))
      .map(([c, code]) => ended(c, code)),
    fc.constantFrom(...timers).map((timer): Event => ({ type: "timer", timer })),
    fc.constant<Event>({ type: "stop" }),
  );

  it("leaves no connection behind, never has more than two, and always has a way on", () => {
    const start: Event[] = [{ type: "start" }, token];
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = initialState;
        const open = new Set<number>();
        const set = new Set<TimerName>();
        for (const one of [...start, ...events]) {
          if (one.type === "timer" && !set.delete(one.timer)) continue; // it is not set, so it cannot fire
          let effects: readonly Effect[];
          [state, effects] = transition(state, one);
          if (one.type === "ended") open.delete(one.connection);
          for (const effect of effects) {
            if (effect.do === "open") open.add(effect.connection);
            if (effect.do === "close") open.delete(effect.connection);
            if (effect.do === "set-timer" || effect.do === "draw-timer") set.add(effect.timer);
            if (effect.do === "clear-timers") for (const timer of effect.timers) set.delete(timer);
          }
          const current = "connection" in state ? [state.connection] : [];
          if (state.name === "moving" && state.next > 0) current.push(state.next);
          expect(
            [...open].every((number) => current.includes(number)),
            `${state.name} keeps ${[...open]}`,
          ).toBe(true);
          if (state.name === "waiting" && !state.suspended) expect(set).toContain("retry");
          if (state.name === "connecting" || state.name === "handshaking") expect(set).toContain("handshake");
          if (state.name === "moving" && state.stage === "due") expect(set).toContain("move");
          if (state.name === "moving" && (state.stage === "connecting" || state.stage === "handshaking")) {
            expect(set).toContain("move-handshake");
          }
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it("changes nothing once closed", () => {
    fc.assert(
      fc.property(event, (one) => {
        const closed = after({ type: "start" }, { type: "stop" }).state;
        expect(transition(closed, one)).toEqual([closed, []]);
      }),
    );
  });
});
