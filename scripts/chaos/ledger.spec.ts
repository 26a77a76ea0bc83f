import { describe, expect, it } from "vitest";
import { FaultWindows } from "./fault-windows.ts";
import { judge, type Seen, type Sent } from "./ledger.ts";

const sent = (seq: number, change: Partial<Sent> = {}): Sent => ({
  channel: "live:0",
  publisher: 1,
  from: "eve",
  seq,
  sentAtMs: seq * 1_000,
  durable: false,
  outcome: "delivered",
  answeredAtMs: seq * 1_000 + 5,
  ...change,
});

const seen = (seqs: readonly number[], change: Partial<Seen> = {}): Seen => ({
  subscriber: "ann",
  channel: "live:0",
  openedAtMs: 0,
  messages: seqs.map((seq) => ({ publisher: 1, seq, atMs: seq * 1_000 + 10 })),
  gaps: [],
  ...change,
});

const gap = (atMs: number) => ({ atMs, reason: "DETACHED" });
const three = [sent(1), sent(2), sent(3)];
const nothingWrong = { lost: 0, toldAsGap: 0, doubled: 0, reordered: 0 };

describe("the ledger of a cluster under stress", () => {
  it("finds nothing wrong where everything came once and in order", () => {
    const figures = judge(three, [seen([1, 2, 3]), seen([1, 2, 3], { subscriber: "bob" })], false);
    expect(figures).toMatchObject({ sent: 3, delivered: 3, due: 6, received: 6, ...nothingWrong });
    expect(figures).toMatchObject({ longestStallMs: 10, longestAnswerMs: 5, p50Ms: 10 });
  });

  it("finds what did not come, in the middle and at the end", () => {
    const inTheMiddle = judge(three, [seen([1, 3])], false);
    expect(inTheMiddle).toMatchObject({ ...nothingWrong, lost: 1 });
    expect(inTheMiddle.losses).toMatchObject([{ channel: "live:0", publisher: 1, seq: 2, subscriber: "ann" }]);
    expect(judge(three, [seen([1])], false)).toMatchObject({ ...nothingWrong, lost: 2 });
    expect(judge(three, [seen([])], false)).toMatchObject({ ...nothingWrong, lost: 3 });
  });

  it("finds what one of several did not get", () => {
    expect(judge(three, [seen([1, 2, 3]), seen([1, 2])], false)).toMatchObject({ ...nothingWrong, lost: 1 });
  });

  it("finds what came twice", () => {
    expect(judge(three, [seen([1, 1, 2, 3])], false)).toMatchObject({ ...nothingWrong, doubled: 1 });
    expect(judge(three, [seen([1, 2, 3, 1])], false)).toMatchObject({ ...nothingWrong, doubled: 1 });
  });

  it("finds what one publisher's later message has overtaken, and no order between two", () => {
    expect(judge(three, [seen([1, 3, 2])], false)).toMatchObject({ ...nothingWrong, reordered: 1 });
    const messages = [
      { publisher: 2, seq: 1, atMs: 4_010 },
      { publisher: 1, seq: 1, atMs: 4_020 },
    ];
    const ofTwo = [sent(1), sent(1, { publisher: 2, sentAtMs: 4_000 })];
    expect(judge(ofTwo, [seen([], { messages })], false)).toMatchObject(nothingWrong);
  });

  it("lets a gap excuse a live message that was missed shortly before or after, and no other", () => {
    const at = (gapMs: number) => judge(three, [seen([1, 3], { gaps: [gap(gapMs)] })], false);
    expect(at(2_500)).toMatchObject({ ...nothingWrong, toldAsGap: 1, gaps: 1 });
    expect(at(900)).toMatchObject({ ...nothingWrong, lost: 1 });
    expect(at(30_000)).toMatchObject({ ...nothingWrong, lost: 1 });
  });

  it("lets nobody be told before the fault is over, and not long after that either", () => {
    const faultOverMs = (fromMs: number, toMs: number) => (fromMs < 2_500 ? 25_000 : toMs);
    const at = (gapMs: number) => judge(three, [seen([1, 3], { gaps: [gap(gapMs)] })], false, { faultOverMs });
    expect(at(30_000)).toMatchObject({ ...nothingWrong, toldAsGap: 1 });
    expect(at(34_000)).toMatchObject({ ...nothingWrong, lost: 1 });
  });

  it("lets no gap behind the next fault excuse what was lost before that", () => {
    const faultOverMs = (fromMs: number, toMs: number) => (fromMs < 2_500 ? 12_000 : toMs);
    const nextFaultMs = (afterMs: number) => (afterMs < 15_000 ? 15_000 : Number.POSITIVE_INFINITY);
    const circumstances = { faultOverMs, nextFaultMs };
    const at = (gapMs: number) => judge(three, [seen([1, 3], { gaps: [gap(gapMs)] })], false, circumstances);
    expect(at(14_900)).toMatchObject({ ...nothingWrong, toldAsGap: 1 });
    expect(at(15_100)).toMatchObject({ ...nothingWrong, lost: 1 });
  });

  it("lets the gap of a fault excuse what was on its way when that began", () => {
    const faults = new FaultWindows([{ fromMs: 2_500, toMs: 12_000 }]);
    const circumstances = {
      faultOverMs: (fromMs: number, toMs: number) => faults.overMs(fromMs, toMs),
      nextFaultMs: (afterMs: number) => faults.nextMs(afterMs),
    };
    const at = (gapMs: number) => judge(three, [seen([1, 3], { gaps: [gap(gapMs)] })], false, circumstances);
    expect(at(6_000)).toMatchObject({ ...nothingWrong, toldAsGap: 1 });
  });

  it("lets the gap of one excuse nobody else", () => {
    const views = [seen([1, 3], { gaps: [gap(2_500)] }), seen([1, 3])];
    expect(judge(three, views, false)).toMatchObject({ ...nothingWrong, toldAsGap: 1, lost: 1 });
  });

  it("lets no gap excuse a durable message", () => {
    const durable = three.map((one) => ({ ...one, durable: true, outcome: "stored" as const }));
    const views = [seen([1, 3], { gaps: [gap(2_500)] })];
    expect(judge(durable, views, true)).toMatchObject({ ...nothingWrong, delivered: 3, lost: 1 });
    expect(judge(durable, views, false)).toMatchObject({ sent: 0, lost: 0 });
  });

  it("holds nobody to what its sender was told of, or what was sent before it had subscribed", () => {
    const told = [sent(1, { outcome: "failed" }), sent(2, { outcome: "unknown" }), sent(3, { outcome: "offline" })];
    const figures = judge(told, [seen([])], false);
    expect(figures).toMatchObject({ ...nothingWrong, failed: 1, unknown: 1, offline: 1, due: 0 });
    expect(judge(three, [seen([3], { openedAtMs: 2_500 })], false)).toMatchObject({ ...nothingWrong, due: 1 });
  });

  it("counts the answer of what met with a fault from when that was mended", () => {
    const late = [sent(1), sent(2, { answeredAtMs: 7_500 }), sent(3, { answeredAtMs: 3_300 })];
    const mendedMs = (fromMs: number, toMs: number) => (fromMs <= 7_000 && 7_000 <= toMs ? 7_000 : fromMs);
    const figures = judge(late, [], false, { mendedMs });
    expect(figures).toMatchObject({ longestAnswerMs: 5_500, longestAnswerAfterMs: 500 });
  });

  it("counts the arrival of what met with a fault from when that was mended", () => {
    const messages = [
      { publisher: 1, seq: 1, atMs: 7_900 },
      { publisher: 1, seq: 3, atMs: 3_300 },
    ];
    const mendedMs = (fromMs: number, toMs: number) => (fromMs <= 7_000 && 7_000 <= toMs ? 7_000 : fromMs);
    const figures = judge(three, [seen([], { messages })], false, { mendedMs });
    expect(figures).toMatchObject({ longestStallMs: 6_900, longestArrivalAfterMs: 900 });
  });

  it("describes the gaps that receivers were told of, though they have missed nothing", () => {
    const told = { atMs: 2_500, reason: "TRIMMED", from: "1:7", to: "1:9" };
    const figures = judge(three, [seen([1, 2, 3], { gaps: [told] })], false);
    expect(figures).toMatchObject({ ...nothingWrong, gaps: 1 });
    expect(figures.toldGaps).toEqual([{ channel: "live:0", subscriber: "ann", ...told }]);
  });

  it("counts what nobody has answered", () => {
    expect(judge([sent(1, { outcome: "pending", answeredAtMs: 0 })], [seen([1])], false)).toMatchObject({ pending: 1 });
  });

  it("tells the longest stall", () => {
    const messages = three.map(({ seq, sentAtMs }) => ({ publisher: 1, seq, atMs: sentAtMs + seq * 300 }));
    expect(judge(three, [seen([], { messages })], false)).toMatchObject({ ...nothingWrong, longestStallMs: 900 });
    const isFaulty = (_from: number, toMs: number) => toMs > 3_000;
    expect(judge(three, [seen([], { messages })], false, { isFaulty })).toMatchObject({
      longestStallMs: 900,
      quietStallMs: 600,
      faultStallMs: 900,
    });
    const warm = judge(three, [seen([1], {})], false, { warmAtMs: 2_500 });
    expect(warm).toMatchObject({ ...nothingWrong, lost: 2, longestStallMs: 0, longestAnswerMs: 5 });
  });
});
