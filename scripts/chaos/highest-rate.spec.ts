import { expect, it } from "vitest";
import { reachHighestRate } from "./highest-rate.ts";
import type { Sent } from "./ledger.ts";

/** A crowd that says what it is told to, up to a limit, and is answered in 10 ms up to another, in virtual time. */
function crowdOf({ saysAtMost = Number.POSITIVE_INFINITY, isAnsweredUpTo = Number.POSITIVE_INFINITY, hiccups = 0 }) {
  const sent: Sent[] = [];
  const crowd = { rate: 100, sent };
  let left = hiccups;
  const wait = async (ms: number): Promise<void> => {
    const isSlow = crowd.rate > isAnsweredUpTo || (crowd.rate > 200 && left-- > 0);
    const said = (Math.min(crowd.rate, saysAtMost) * ms) / 1000;
    for (let i = 0; i < said; i++) {
      const answer = isSlow ? { outcome: "pending", answeredAtMs: 0 } : { outcome: "delivered", answeredAtMs: 10 };
      sent.push({ channel: "", publisher: 0, seq: i, sentAtMs: 0, durable: false, ...answer } as Sent);
    }
  };
  return { crowd, wait };
}

it.each([
  { limit: { saysAtMost: 1_200 }, reached: 1_142 },
  { limit: { isAnsweredUpTo: 600 }, reached: 507 },
  { limit: { saysAtMost: 1_200, hiccups: 1 }, reached: 1_142 },
  { limit: { hiccups: 9 }, reached: 150 },
  { limit: {}, reached: 19_520 },
])("finds the highest rate that $limit allows", async ({ limit, reached }) => {
  const { crowd, wait } = crowdOf(limit);
  const lines: string[] = [];
  expect(await reachHighestRate(crowd, (line) => lines.push(line), wait)).toBe(reached);
  expect(crowd.rate === reached || Object.keys(limit).length === 0).toBe(true);
  expect(lines[0]).toBe("100 messages a second: 95 % answered within 10 ms");
});
