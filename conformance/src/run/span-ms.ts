import type { Span } from "@fanfare/proto/conformance/v1alpha";
import type { Goaway, Welcome } from "@fanfare/proto/v1";
import { helloTimeoutMs } from "../target/fixtures.ts";
import type { MintedToken } from "../target/mint-token.ts";
import { HarnessError } from "./failure.ts";

/** What lengths of time are stated in. */
export interface SpanUnits {
  readonly patienceMs: number;
  readonly welcome: Welcome | undefined;
  readonly goaway: Goaway | undefined;
  readonly token: MintedToken | undefined;
}

/** A length of time in milliseconds; `fallbackMs` for an absent one. @throws HarnessError when its unit was not negotiated yet */
export function spanMs(span: Span | undefined, units: SpanUnits, fallbackMs: number): number {
  if (span?.unit.case === undefined) return fallbackMs;
  return Number(span.unit.value) * unitMs(span.unit.case, units);
}

function unitMs(unit: NonNullable<Span["unit"]["case"]>, units: SpanUnits): number {
  const { welcome, goaway, token } = units;
  const ms = {
    patience: units.patienceMs,
    heartbeats: welcome?.heartbeatIntervalMs,
    silences: welcome && welcome.heartbeatIntervalMs + welcome.heartbeatTimeoutMs,
    resumeWindows: welcome?.resumeWindowMs,
    helloTimeouts: helloTimeoutMs,
    tokenLives: token && token.expiresAtMs - token.issuedAtMs,
    goawayDelays: goaway?.reconnectAfterMs,
    goawayDeadlines: goaway?.deadlineMs,
    reconnectWindows: welcome?.reconnectWindowMs,
    seconds: 1_000,
  }[unit];
  if (ms === undefined) throw new HarnessError(`a time is stated in ${unit}, which are not known yet`);
  return ms;
}
