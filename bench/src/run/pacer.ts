import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/**
 * Calls `send` with 0, 1, 2 … evenly over time, `messagesPerSecond` a second, `count` times in all. Above 200 a second it turns
 * the event loop over without resting, because timers of a millisecond would bunch the messages and so do the server's
 * coalescing for it. What is late is made up for at once.
 */
export async function pace(messagesPerSecond: number, count: number, send: (index: number) => void): Promise<void> {
  const startedMs = performance.now();
  const gapMs = 1_000 / messagesPerSecond;
  let sent = 0;
  while (true) {
    const elapsedMs = performance.now() - startedMs;
    while (sent < count && sent * gapMs <= elapsedMs) send(sent++);
    if (sent === count) return;
    if (messagesPerSecond > 200) await nextTurn();
    else await sleep(Math.max(1, Math.floor(sent * gapMs - (performance.now() - startedMs))));
  }
}
