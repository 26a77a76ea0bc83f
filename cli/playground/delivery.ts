import { ErrorCode, FanfareError, Outcome, type Sent } from "@fanfare/sdk-browser";
import type { Delivery } from "./composer.ts";

/** What became of a message, in a line. */
export function deliveryOf(result: Sent | FanfareError, tookMs: number): Delivery {
  if (result instanceof FanfareError) {
    const outcome = result.outcome === undefined ? "" : ` (${Outcome[result.outcome]})`;
    return { text: `${ErrorCode[result.code]}${outcome}: ${result.message}`, isFailure: true };
  }
  const { outcome, report, repeated } = result;
  const counts = [
    [report?.reached ?? 0, "reached"],
    [report?.detached ?? 0, "detached"],
    [report?.excluded ?? 0, "left out"],
  ] as const;
  const sessions = counts.filter(([count], i) => i === 0 || count > 0).map(([count, word]) => `${count} ${word}`);
  const parts = [Outcome[outcome] ?? String(outcome), ...sessions, `${tookMs.toFixed(1)} ms`];
  return { text: [...parts, ...(repeated ? ["repeated after a reconnect"] : [])].join(" · "), isFailure: false };
}
