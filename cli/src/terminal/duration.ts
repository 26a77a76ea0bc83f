import { InvalidArgumentError } from "commander";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads a duration such as `500ms`, `10s`, `2m`, `24h` or `7d`, in milliseconds. `0` needs no unit. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (!Number.isFinite(ms)) throw new InvalidArgumentError("Write a number and a unit: 500ms, 10s, 2m, 24h or 7d.");
  return Math.round(ms);
}

/** A duration for people: `840 ms`, `1.2 s`, `25 s`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
