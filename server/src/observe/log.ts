/**
 * Levels of the log, each with what it is for:
 * - `debug`: each connection, each frame of a client, each refused call; for finding a fault.
 * - `info`: what an operator wants to know of: starts, drains, topology, refused origins.
 * - `warn`: something is wrong and handled.
 * - `error`: something is wrong and needs somebody.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Values beside a message. Never tokens, secrets, keys or payloads. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A leveled, structured log. */
export interface Log {
  /** Whether entries of this level are written; ask before building costly fields. */
  enabled(level: LogLevel): boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds these fields to every entry. */
  child(fields: LogFields): Log;
}

/** One entry, as a sink receives it. */
export interface LogEntry {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Where entries go. Must not throw. */
export type LogSink = (entry: LogEntry) => void;

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** What {@link createLog} needs. */
export interface LogOptions {
  /** The least level that is written. */
  level: LogLevel;
  sink: LogSink;
  /** The clock, in milliseconds since 1970-01-01 UTC. */
  nowMs: () => number;
}

/** Makes a log over one sink. */
export function createLog({ level, sink, nowMs }: LogOptions, own: LogFields = {}): Log {
  const least = ranks[level];
  const write = (entryLevel: LogLevel, message: string, fields: LogFields | undefined) => {
    if (ranks[entryLevel] < least) return;
    sink({ atMs: nowMs(), level: entryLevel, message, fields: fields === undefined ? own : { ...own, ...fields } });
  };
  return {
    enabled: (asked) => ranks[asked] >= least,
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
    child: (fields) => createLog({ level, sink, nowMs }, { ...own, ...fields }),
  };
}

/** A log that writes nothing. */
export const silentLog: Log = createLog({ level: "error", sink: () => {}, nowMs: () => 0 });
