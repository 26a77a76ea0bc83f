import type { Timing } from "@fanfare/proto/config/v1";

/** The durations of the protocol, all in milliseconds; what each means is in `server_config.proto`. */
export interface ResolvedTiming {
  readonly helloTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatIntervalMinMs: number;
  readonly heartbeatIntervalMaxMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly resumeWindowMs: number;
  readonly reconnectWindowMs: number;
  readonly drainWindowMs: number;
  readonly drainDeadlineMs: number;
  readonly presenceTickMs: number;
  readonly maxLingerMs: number;
}

/** Fills in the defaults that the comments of `Timing` name. */
export function resolveTiming(timing: Timing | undefined): ResolvedTiming {
  const heartbeatIntervalMs = timing?.heartbeatIntervalMs ?? 25_000;
  const drainDeadlineMs = timing?.drainDeadlineMs ?? Math.max(30_000, timing?.drainWindowMs ?? 0);
  return Object.freeze({
    helloTimeoutMs: timing?.helloTimeoutMs ?? 10_000,
    heartbeatIntervalMs,
    heartbeatIntervalMinMs: timing?.heartbeatIntervalMinMs ?? Math.min(5_000, heartbeatIntervalMs),
    heartbeatIntervalMaxMs: timing?.heartbeatIntervalMaxMs ?? Math.max(60_000, heartbeatIntervalMs),
    heartbeatTimeoutMs: timing?.heartbeatTimeoutMs ?? 10_000,
    resumeWindowMs: timing?.resumeWindowMs ?? 60_000,
    reconnectWindowMs: timing?.reconnectWindowMs ?? 2_000,
    drainWindowMs: timing?.drainWindowMs ?? Math.min(10_000, drainDeadlineMs),
    drainDeadlineMs,
    presenceTickMs: timing?.presenceTickMs ?? 250,
    maxLingerMs: timing?.maxLingerMs ?? 5,
  });
}
