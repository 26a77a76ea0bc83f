/** A pending timer. */
export interface Timer {
  /** Prevents the call if it has not happened yet. */
  cancel(): void;
}

/** Time, as the server sees it. Injected everywhere, so that the same code runs under a virtual clock. */
export interface Clock {
  /** Wall clock, in milliseconds since 1970-01-01 UTC, with fractions. For what is told to others. */
  nowMs(): number;
  /** Never goes back, in milliseconds, with fractions. For durations. */
  monotonicMs(): number;
  /** Calls back once, after at least the delay. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back once what has arrived in this turn of the event loop is handled. */
  defer(callback: () => void): void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, Math.max(0, delayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  defer: (callback) => void setImmediate(callback),
};
