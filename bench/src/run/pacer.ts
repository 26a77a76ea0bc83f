import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** Time as the pacer needs it. */
export interface PacerClock {
  /** Monotonic, in milliseconds. */
  nowMs(): number;
  /** Lets the event loop turn once. */
  turn(): Promise<void>;
  /** Rests for about this long. */
  rest(ms: number): Promise<void>;
}

const systemPacerClock: PacerClock = {
  nowMs: () => performance.now(),
  turn: () => nextTurn(),
  rest: (ms) => sleep(ms),
};

/** Above this rate the pacer does not rest. */
const maxRestingRate = 200;

/**
 * Calls `send` with 0, 1, 2 … evenly over time, `messagesPerSecond` a second, `count` times in all. Above 200 a second it turns
 * the event loop over without resting, because timers of a millisecond would bunch the messages and so do the server's
 * coalescing for it. What is late is made up for at once.
 */
export async function pace(
  messagesPerSecond: number,
  count: number,
  send: (index: number) => void,
  clock: PacerClock = systemPacerClock,
): Promise<void> {
  const startedMs = clock.nowMs();
  const gapMs = 1_000 / messagesPerSecond;
  let sent = 0;
  while (true) {
    const elapsedMs = clock.nowMs() - startedMs;
    while (sent < count && sent * gapMs <= elapsedMs) send(sent++);
    if (sent === count) return;
    if (messagesPerSecond > maxRestingRate) await clock.turn();
    else await clock.rest(Math.max(1, Math.floor(sent * gapMs - (clock.nowMs() - startedMs))));
  }
}
