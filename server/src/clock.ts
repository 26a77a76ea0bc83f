/** A pending timer. */
export interface Timer {
  /** Prevents the call if it has not happened yet. */
  cancel(): void;
}

/** Time, as the server sees it. Injected everywhere, so that the same code runs under a virtual clock. */
export interface Clock {
  /** Wall clock, in milliseconds since 1970-01-01 UTC, with fractions. For what is told to others. Jumps, also back, when the clock is set. */
  nowMs(): number;
  /** Never goes back, in milliseconds, with fractions. For durations. */
  monotonicMs(): number;
  /** Calls back once, after at least the delay. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back once what has arrived in this turn of the event loop is handled. */
  defer(callback: () => void): void;
}

/** The clock of the system tells whole milliseconds, and may be slewed a little; further off than this it was set, in milliseconds. */
const tolerableOffMs = 50;

/** The wall clock when the monotonic one stood at 0. Read once at the start it would be wrong for good when the clock is set right later. */
let originMs = performance.timeOrigin;

function wallMs(): number {
  const nowMs = originMs + performance.now();
  const offMs = Date.now() - nowMs;
  if (Math.abs(offMs) <= tolerableOffMs) return nowMs;
  originMs += offMs;
  return nowMs + offMs;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: wallMs,
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, Math.max(0, delayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  defer: (callback) => void setImmediate(callback),
};
