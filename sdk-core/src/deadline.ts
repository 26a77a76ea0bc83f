import type { Clock, TimerHandle } from "./ports.ts";

/** The longest delay that runtimes accept for a timer. */
const longestTimerMs = 2 ** 31 - 1;
/** A timer that fires this much late has slept, with the network data that came meanwhile still unread. */
export const sleptMs = 1000;
/** How long what was received during sleep gets before what is overdue happens. */
const wakeGraceMs = 1000;

/**
 * Calls `fire` once `clock.now()` has reached `atMs`, and not before everything was processed that could be read at that moment:
 * after sleep, overdue timers run before the socket's events, and would throw away replies that are already here.
 * The returned function calls it off.
 */
export function setDeadline(clock: Clock, atMs: number, fire: () => void): () => void {
  let timer: TimerHandle;
  const arm = () => {
    timer = clock.setTimer(Math.min(Math.max(atMs - clock.now(), 0), longestTimerMs), () => {
      const lateMs = clock.now() - atMs;
      if (lateMs < 0) return arm();
      timer = clock.setTimer(lateMs > sleptMs ? wakeGraceMs : 0, fire);
    });
  };
  arm();
  return () => clock.clearTimer(timer);
}
