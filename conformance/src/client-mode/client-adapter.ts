import type { ClientCommand, Ready } from "@fanfare/proto/conformance/v1alpha";
import type { Inbox } from "../run/inbox.ts";
import type { Trace } from "../run/trace.ts";

/** What an adapter needs of its case. */
export interface AdapterContext {
  /** Its name in the trace. Default: `client`. */
  readonly actor?: string;
  readonly trace: Trace;
  readonly nextOrder: () => number;
}

/** A client under test: commands go in, reports come out. */
export interface ClientAdapter extends AsyncDisposable {
  readonly ready: Promise<Ready>;
  /** Everything but `ready`. */
  readonly reports: Inbox;
  /** What it wrote to its standard error last. */
  readonly errors: string;
  /** Stops its process, or lets it go on. Absent where it has none of its own. */
  freeze?(frozen: boolean): void;
  /** Gives the client a command; returns its id. */
  command(verb: ClientCommand["verb"]): number;
}

/** Starts a client under test. @throws HarnessError when it cannot be commanded */
export type OpenAdapter = (context: AdapterContext) => Promise<ClientAdapter>;
