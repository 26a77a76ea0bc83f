import { constants } from "node:os";

/** What asks a server to end. */
export type EndSignal = "SIGTERM" | "SIGINT";

/** Tells of the wish to end, once, until it is disposed of. */
export type HearEnd = (begin: (signal: EndSignal) => void) => Disposable;

/**
 * Sooner after the first one, a signal is not a second wish but the same one by another way, in milliseconds: a terminal sends Ctrl-C to `npm start` and to the
 * server, and npm passes on what it gets.
 */
const sameWishMs = 300;

/**
 * Hears SIGTERM and SIGINT: the first is the wish to end, the second ends the process at once, with 128 and the signal's number.
 * @param onSecond what is done before that
 */
export function hearSignals(begin: (signal: EndSignal) => void, onSecond: () => void = () => {}): Disposable {
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      begin(signal as EndSignal);
    } else if (nowMs - firstMs >= sameWishMs) {
      onSecond();
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    [Symbol.dispose](): void {
      process.removeListener("SIGTERM", onSignal);
      process.removeListener("SIGINT", onSignal);
    },
  };
}
