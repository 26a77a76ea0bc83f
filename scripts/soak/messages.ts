import type { Faults } from "./ledger.ts";

/** Where the server listens, and what signs its players' tokens. */
export interface Ready {
  readonly url: string;
  readonly tokenSecret: string;
}

/** What a process of clients does: its first argument, as JSON. */
export interface ClientsTask extends Ready {
  /** Number of its first client. */
  readonly first: number;
  readonly count: number;
  readonly groups: number;
  readonly groupsPerClient: number;
  readonly cutAfterMs: number;
}

/** To a process of clients: cut from now on; or cut no more, and report when everything is there or the patience is at an end. */
export type ToClients =
  | { readonly kind: "cut" }
  | { readonly kind: "finish"; readonly published: readonly number[]; readonly patienceMs: number };

/** What its clients have lived through. */
export interface ClientsFigures {
  /** Connections that were cut. */
  cuts: number;
  /** Connections that were opened after the first. */
  reconnects: number;
  /** Those that went on with their session. */
  resumes: number;
  /** Subscriptions that went on without anything missing, at reconnects. */
  recovered: number;
  /** Gaps that were told. */
  gaps: number;
  received: number;
}

/** From a process of clients. */
export type FromClients =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly figures: ClientsFigures }
  | {
      readonly kind: "report";
      readonly figures: ClientsFigures;
      readonly faults: Faults;
      /** From the end of a connection to the welcome of the next, in milliseconds. */
      readonly reconnectMs: readonly number[];
    };
