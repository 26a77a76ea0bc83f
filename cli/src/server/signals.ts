import { constants } from "node:os";
import type { FanfareServer } from "@fanfare/server";
import type { Output } from "../terminal/output.ts";

/** How signals end a server. */
export interface SignalOptions {
  /** SIGINT waits for clients a second at most, as befits a development server. */
  readonly isShort: boolean;
  readonly output: Output;
}

/** Signals that are heard until it is disposed of. */
export interface EndSignals extends Disposable {
  /** One has come. */
  readonly isEnding: boolean;
}

const shortDrain = { windowMs: 0, deadlineMs: 1000 };

/**
 * Drains the server on the first SIGTERM or SIGINT, and ends the process on the second. One that still starts is drained as soon as it has started,
 * so that it does not vanish from a cluster that it has joined.
 */
export function drainOnSignal(opening: Promise<FanfareServer>, { isShort, output }: SignalOptions): EndSignals {
  let draining = false;
  let isOpen = false;
  const opened = opening.then(
    (server) => {
      isOpen = true;
      return server;
    },
    () => undefined, // told by whoever waits for it
  );
  const onSignal = (signal: NodeJS.Signals) => {
    if (draining) process.exit(128 + constants.signals[signal]);
    draining = true;
    if (!isOpen && signal === "SIGINT") output.note("Ends as soon as it has started; again to stop at once.");
    void opened.then((server) => {
      const told = server?.drain(isShort && signal === "SIGINT" ? shortDrain : {}).told ?? 0;
      if (told > 0) output.note(`Sending ${told} ${told === 1 ? "client" : "clients"} away; again to stop at once.`);
    });
  };
  const remove = () => {
    process.removeListener("SIGTERM", onSignal);
    process.removeListener("SIGINT", onSignal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    get isEnding() {
      return draining;
    },
    [Symbol.dispose]: remove,
  };
}
