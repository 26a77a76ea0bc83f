import { setTimeout as pause } from "node:timers/promises";
import type { Sent } from "./ledger.ts";
import { quantile } from "./ledger.ts";

/** How long each rate is held, and until when what was said then has to be answered, in milliseconds. */
const stepMs = 2_500;
/** A rate holds if so many messages are answered in this time, in milliseconds: the rest is the machine's, which has other things to do. */
const answeredShare = 0.95;
const maxAnswerMs = 250;
/** A rate holds if so much of it was said. */
const leastShare = 0.9;
/** What else happens on the machine is taken for the limit of nobody: a rate that does not hold is tried again. */
const tries = 2;
const growth = 1.5;
/** A rate that nobody needs; a bound for the search. */
const maxRate = 20_000;

/** Who talks. */
export interface Talkers {
  /** Messages a second. */
  rate: number;
  readonly sent: readonly Sent[];
}

/** How a rate was kept. */
export interface Kept {
  readonly rate: number;
  /** What was said, a second. */
  readonly perSecond: number;
  /** In which time {@link answeredShare} was answered, in milliseconds. */
  readonly answerMs: number;
}

/** Lets a crowd talk faster and faster until answers lag behind or it cannot keep the pace, and leaves it at the highest rate that it kept. */
export async function reachHighestRate(
  crowd: Talkers,
  say: (text: string) => void,
  wait: (ms: number) => Promise<unknown> = pause,
): Promise<number> {
  let highest = crowd.rate;
  for (let rate = crowd.rate; rate <= maxRate; rate = Math.round(rate * growth)) {
    let holds = false;
    for (let i = 0; i < tries && !holds; i++) {
      const kept = await keep(crowd, rate, wait);
      holds = isKept(kept);
      const within = Number.isFinite(kept.answerMs) ? `${kept.answerMs} ms` : "no time";
      say(`${kept.perSecond} messages a second: 95 % answered within ${within}`);
      if (!holds) crowd.rate = highest;
      if (!holds) await wait(stepMs); // what has piled up comes to an end
    }
    if (!holds) break;
    highest = rate;
  }
  return highest;
}

async function keep(crowd: Talkers, rate: number, wait: (ms: number) => Promise<unknown>): Promise<Kept> {
  crowd.rate = rate;
  const from = crowd.sent.length;
  await wait(stepMs);
  const said = crowd.sent.slice(from);
  await wait(maxAnswerMs);
  const answers = said.map((one) =>
    one.outcome === "pending" ? Number.POSITIVE_INFINITY : one.answeredAtMs - one.sentAtMs,
  );
  const answerMs = quantile(
    answers.sort((a, b) => a - b),
    answeredShare,
  );
  return { rate, perSecond: Math.round((said.length * 1000) / stepMs), answerMs };
}

function isKept({ rate, perSecond, answerMs }: Kept): boolean {
  return perSecond >= rate * leastShare && answerMs <= maxAnswerMs;
}
