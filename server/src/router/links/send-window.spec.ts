import { describe, expect, it } from "vitest";
import { SendWindow, type SentBatch } from "./send-window.ts";

function batch(number: number, sentMs = 0, hasLoss = false): SentBatch {
  return {
    number,
    body: new Uint8Array(100),
    bytes: 100,
    records: 1,
    hasLoss,
    settles: [],
    firstSentMs: sentMs,
    lastSentMs: sentMs,
    sends: 1,
  };
}

function windowOf(count: number): SendWindow {
  const window = new SendWindow();
  for (let number = 1; number <= count; number++) window.add(batch(number, number * 10));
  return window;
}

describe("SendWindow", () => {
  it("takes out what is acknowledged, cumulatively", () => {
    const window = windowOf(5);
    expect(window.acknowledge(3).map(({ batch: { number } }) => number)).toEqual([1, 2, 3]);
    expect(window.acknowledge(3)).toEqual([]);
    expect(window.acknowledge(2)).toEqual([]);
    expect([window.size, window.bytes, window.oldest?.number, window.nextNumber]).toEqual([2, 200, 4, 6]);
    expect(window.acknowledge(5)).toHaveLength(2);
    expect(window.oldest).toBeUndefined();
    expect(window.nextNumber).toBe(6);
  });

  it("believes no acknowledgement of what was never sent", () => {
    const window = windowOf(2);
    expect(window.acknowledge(3)).toEqual([]);
    expect(window.size).toBe(2);
  });

  it("finds batches by their numbers", () => {
    const window = windowOf(5);
    window.acknowledge(2);
    expect([1, 2, 3, 5, 6].map((number) => window.at(number)?.number)).toEqual([undefined, undefined, 3, 5, undefined]);
  });

  it("settles each batch once, by its age, and keeps it to be sent again", () => {
    const window = windowOf(5);
    expect(window.oldestUnsettledMs).toBe(10);
    expect(window.settle(125, 100).map(({ number }) => number)).toEqual([1, 2]);
    expect(window.settle(125, 100)).toEqual([]);
    expect(window.oldestUnsettledMs).toBe(30);
    expect(window.acknowledge(3).map(({ wasSettled }) => wasSettled)).toEqual([true, true, false]);
    expect(window.oldestUnsettledMs).toBe(40);
    expect(window.settle(Number.POSITIVE_INFINITY, 0)).toHaveLength(2);
    expect(window.oldestUnsettledMs).toBeUndefined();
    window.add(batch(6, 500));
    expect(window.oldestUnsettledMs).toBe(500);
    expect(window.acknowledge(6).map(({ wasSettled }) => wasSettled)).toEqual([true, true, false]);
  });

  it("knows whether a loss is on its way", () => {
    const window = windowOf(1);
    expect(window.hasLoss).toBe(false);
    window.add(batch(2, 0, true));
    expect(window.hasLoss).toBe(true);
    window.acknowledge(2);
    expect(window.hasLoss).toBe(false);
  });
});
