import type { ScriptOption, ScriptValues } from "../script-options.ts";

/** How large a soak test is. */
export interface SoakOptions {
  /** Clients that are cut off again and again. */
  readonly clients: number;
  /** How long messages are published, in seconds. */
  readonly seconds: number;
  /** Durable messages a second, in all groups together. */
  readonly messagesPerSecond: number;
  /** Groups among which messages and clients are spread. */
  readonly groups: number;
  /** Groups that each client joins. */
  readonly groupsPerClient: number;
  /** Mean time after which a connection is cut, in milliseconds. */
  readonly cutAfterMs: number;
  /** Processes that the clients run in. */
  readonly processes: number;
  /** Keep the log in a Valkey cluster of three primaries with replicas, started for it; otherwise in the server's memory. */
  readonly valkey: boolean;
}

/** What the issue of durable delivery asks for. */
export const fullSoak: SoakOptions = {
  clients: 1000,
  seconds: 60,
  messagesPerSecond: 200,
  groups: 50,
  groupsPerClient: 2,
  cutAfterMs: 1000,
  processes: 2,
  valkey: false,
};

export const help = `npm run soak:resume -- [options]

Cuts clients off again and again while durable messages are published, and holds each of them to: every message, once, in order.
Exits with 1 if a message was lost, doubled or out of order, a publish failed, or nobody was cut off and came back.

  --clients <n>    clients that are cut off; ${fullSoak.clients} by default
  --seconds <n>    how long messages are published; ${fullSoak.seconds} by default
  --rate <n>       messages a second, in all groups together; ${fullSoak.messagesPerSecond} by default
  --groups <n>     groups that share them; each client joins ${fullSoak.groupsPerClient}; ${fullSoak.groups} by default
  --cut-after <n>  mean life of a connection, in milliseconds; ${fullSoak.cutAfterMs} by default
  --processes <n>  processes of clients; ${fullSoak.processes} by default
  --valkey         keep the log in a Valkey cluster, started for it, and not in the server's memory
  --json           print the figures alone, as JSON; with npm run -s, or npm prints lines of its own before
  --help           print this`;

/** The command line. */
export const soakCommandLine = {
  clients: { type: "number", default: fullSoak.clients },
  seconds: { type: "number", default: fullSoak.seconds },
  rate: { type: "number", default: fullSoak.messagesPerSecond },
  groups: { type: "number", default: fullSoak.groups },
  "cut-after": { type: "number", default: fullSoak.cutAfterMs },
  processes: { type: "number", default: fullSoak.processes, max: 1_000 },
  valkey: { type: "boolean" },
  json: { type: "boolean" },
} as const satisfies Record<string, ScriptOption>;

/** What a command line asks for. */
export function soakOptions(values: ScriptValues<typeof soakCommandLine>): SoakOptions {
  const { clients, seconds, groups, processes, valkey } = values;
  return {
    ...{ clients, seconds, groups, processes, valkey },
    messagesPerSecond: values.rate,
    groupsPerClient: Math.min(groups, fullSoak.groupsPerClient),
    cutAfterMs: values["cut-after"],
  };
}
