import type { FanfareServer } from "@fanfare/server";
import type { Output } from "../terminal/output.ts";
import { type EndSignal, type HearEnd, hearSignals } from "./end-signals.ts";

/** How signals end a server. */
export interface SignalOptions {
  /** SIGINT waits for clients a second at most, as befits a development server. */
  readonly isShort: boolean;
  readonly output: Output;
  /** Where the wish to end comes from. Default: SIGTERM and SIGINT to this process. */
  readonly hear?: HearEnd;
}

/** Signals that are heard until it is disposed of. */
export interface EndSignals extends Disposable {
  /** One has come. */
  readonly isEnding: boolean;
}

const shortDrain = { windowMs: 0, deadlineMs: 1000 };

/**
 * Drains the server when it is to end. One that still starts is drained as soon as it has started, so that it does not vanish from a cluster that it has
 * joined.
 */
export function drainOnSignal(
  opening: Promise<FanfareServer>,
  { isShort, output, hear = hearSignals }: SignalOptions,
): EndSignals {
  let draining = false;
  let isOpen = false;
  const opened = opening.then(
    (server) => {
      isOpen = true;
      return server;
    },
    () => undefined, // told by whoever waits for it
  );
  const heard = hear((signal: EndSignal) => {
    draining = true;
    if (!isOpen && signal === "SIGINT") output.note("Ends as soon as it has started; again to stop at once.");
    void opened.then((server) => {
      const told = server?.drain(isShort && signal === "SIGINT" ? shortDrain : {}).told ?? 0;
      if (told > 0) output.note(`Sending ${told} ${told === 1 ? "client" : "clients"} away; again to stop at once.`);
    });
  });
  return {
    get isEnding() {
      return draining;
    },
    [Symbol.dispose]: () => heard[Symbol.dispose](),
  };
}
