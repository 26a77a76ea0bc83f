import { describe, expect, it } from "vitest";
import { judgeElsewhere } from "./elsewhere.ts";
import type { Seen, Sent } from "./ledger.ts";
import { Whereabouts } from "./whereabouts.ts";

/** Node n1 is struck from 10 s to 20 s. Bob is there, and at n3 from 12 s on; ann is at n2, and cid at n3. */
const strikes = [{ nodeId: "n1", fromMs: 10_000, toMs: 20_000 }];
const home = { ann: "n2", bob: "n1", cid: "n3" };
const players = Object.keys(home) as (keyof typeof home)[];

const whereabouts = new Whereabouts();
for (const player of players) whereabouts.arrived(player, home[player], 0);
whereabouts.arrived("bob", "n3", 12_000);

const sent = (from: string, sentAtMs: number, change: Partial<Sent> = {}): Sent => ({
  ...{ channel: "live:0", publisher: 1, from, seq: sentAtMs, sentAtMs, durable: false },
  ...{ outcome: "delivered", answeredAtMs: sentAtMs + 5, ...change },
});

/** What everybody sees of a group: all of it, but for one. */
const seen = (all: readonly Sent[], missing: Partial<Record<string, readonly number[]>> = {}): Seen[] =>
  players.map((subscriber) => {
    const got = all.filter(({ seq }) => !missing[subscriber]?.includes(seq));
    const messages = got.map(({ publisher, seq, sentAtMs }) => ({ publisher, seq, atMs: sentAtMs + 10 }));
    return { subscriber, channel: "live:0", openedAtMs: 0, messages, gaps: [] };
  });

const look = (all: readonly Sent[], views: readonly Seen[]) => judgeElsewhere(all, views, whereabouts, strikes);

describe("what is said between nodes that nothing is done to", () => {
  it("is whole where all of it came", () => {
    const all = [sent("ann", 9_000), sent("cid", 11_000), sent("ann", 30_000)];
    expect(look(all, seen(all))).toEqual({ due: 8, missed: 0, gaps: 0, failed: 0, examples: [] });
    expect(judgeElsewhere(all, seen([]), whereabouts, [])).toMatchObject({ due: 0, missed: 0 });
  });

  it("is missed by whoever has not got it, whatever the sender was told", () => {
    for (const outcome of ["delivered", "unknown", "failed"] as const) {
      const all = [sent("ann", 11_000, { outcome })];
      expect(look(all, seen(all, { cid: [11_000] }))).toMatchObject({ due: 2, missed: 1, failed: 0 });
      expect(look(all, seen(all, { bob: [11_000] }))).toMatchObject({ due: 2, missed: 0 });
    }
  });

  it("is not what a session says or hears while something is done to its node, and until it is at home elsewhere", () => {
    const all = [sent("bob", 11_000), sent("bob", 13_900), sent("bob", 14_100)];
    const missing = { cid: [11_000, 13_900, 14_100], bob: [14_100] };
    expect(look(all, seen(all, missing))).toMatchObject({ due: 3, missed: 2 });
    const before = [sent("ann", 9_998, { answeredAtMs: 10_003 })];
    expect(look(before, seen(before, { bob: [9_998] }))).toMatchObject({ due: 2, missed: 0 });
  });

  it("has no gaps", () => {
    const gapsAt = (subscriber: string, gapsAtMs: number[]) =>
      look(
        [],
        seen([]).map((view) =>
          view.subscriber === subscriber ? { ...view, gaps: gapsAtMs.map((atMs) => ({ atMs, reason: "LINK" })) } : view,
        ),
      );
    expect(gapsAt("ann", [11_000, 12_000])).toMatchObject({ gaps: 2 });
    expect(gapsAt("bob", [9_000, 12_100, 15_000])).toMatchObject({ gaps: 2 });
  });

  it("may be answered with unknown only as long as the struck node counts as one with a receiver", () => {
    const at = (sentAtMs: number) => {
      const all = [sent("ann", sentAtMs, { outcome: "unknown", answeredAtMs: sentAtMs + 3_000 })];
      return look(all, seen(all)).failed;
    };
    expect([5_000, 8_000, 17_900, 18_100].map(at)).toEqual([1, 0, 0, 1]);
  });

  it("may not fail where no receiver was at the struck node", () => {
    const to = (subscriber: string, sentAtMs: number) => {
      const channel = `@${subscriber}`;
      const one = sent("ann", sentAtMs, { channel, outcome: "offline" });
      return look([one], [{ subscriber, channel, openedAtMs: 0, messages: [], gaps: [] }]).failed;
    };
    expect([to("cid", 11_000), to("bob", 11_000), to("bob", 30_000)]).toEqual([1, 0, 1]);
  });

  it("leaves durable messages and those without an answer to others", () => {
    const all = [sent("ann", 11_000, { durable: true }), sent("ann", 11_001, { outcome: "pending" })];
    expect(look(all, seen([]))).toMatchObject({ due: 0, missed: 0, failed: 0 });
  });
});
