import { setTimeout as pause } from "node:timers/promises";
import type { Crowd } from "./crowd.ts";
import { quantile } from "./ledger.ts";

/** How long each rate is held, and until when what was said then has to be answered, in milliseconds. */
const stepMs = 2_500;
/** A rate holds if 99 of 100 messages are answered in this time, in milliseconds. */
const maxAnswerMs = 200;
/** A rate holds if so much of it was said. */
const leastShare = 0.9;
const growth = 1.5;
/** A rate that nobody needs; a bound for the search. */
const maxRate = 20_000;

/** Lets the crowd talk faster and faster until answers lag behind or it cannot keep the pace, and leaves it at the highest rate that it kept. */
export async function reachHighestRate(crowd: Crowd, say: (text: string) => void): Promise<number> {
  let highest = crowd.rate;
  for (let rate = crowd.rate; rate <= maxRate; rate = Math.round(rate * growth)) {
    crowd.rate = rate;
    const from = crowd.sent.length;
    await pause(stepMs);
    const said = crowd.sent.slice(from);
    await pause(maxAnswerMs);
    const perSecond = Math.round((said.length * 1000) / stepMs);
    const nowMs = performance.now();
    const answerMs = quantile(
      said.map((one) => (one.outcome === "pending" ? nowMs : one.answeredAtMs) - one.sentAtMs).sort((a, b) => a - b),
      0.99,
    );
    say(`${perSecond} messages a second: 99 % answered within ${answerMs} ms`);
    if (perSecond < rate * leastShare || answerMs > maxAnswerMs) break;
    highest = rate;
  }
  crowd.rate = highest;
  await pause(stepMs); // what has piled up comes to an end
  return highest;
}
