import { describe, expect, it } from "vitest";
import { recordCost } from "./batch.ts";
import type { LinkRecord, RecordClass } from "./link-port.ts";
import { type OutReason, WaitingRecords } from "./waiting-records.ts";

function setUp({ maxBytes = 10_000, holdMs = 100 } = {}) {
  const out: [string, OutReason][] = [];
  const waiting = new WaitingRecords(
    { maxBytes: { live: maxBytes, volatile: maxBytes, durable: maxBytes, control: maxBytes }, holdMs },
    ({ record }, reason) => out.push([textOf(record), reason]),
  );
  return { waiting, out };
}

const textOf = ({ bytes }: LinkRecord): string => Buffer.from(bytes).toString();

function record(text: string, recordClass: RecordClass = "live", key = "g:a", conflation = ""): LinkRecord {
  return { class: recordClass, bytes: Buffer.from(text), channel: { appId: "app", key }, conflation };
}

function takenTexts(waiting: WaitingRecords, maxBytes = 1_000_000): string[] {
  return waiting.take(maxBytes).records.map(textOf);
}

describe("WaitingRecords", () => {
  it("gives them in their order, whatever their classes", () => {
    const { waiting } = setUp();
    const classes: RecordClass[] = ["live", "control", "volatile", "live", "durable", "control"];
    for (const [index, recordClass] of classes.entries())
      waiting.add(record(`${index}`, recordClass), undefined, index);
    expect(waiting.oldestMs).toBe(0);
    expect(takenTexts(waiting)).toEqual(["0", "1", "2", "3", "4", "5"]);
    expect([waiting.isEmpty, waiting.bytes, waiting.oldestMs]).toEqual([true, 0, undefined]);
  });

  it("gives as many as fit, and the first in any case", () => {
    const { waiting } = setUp();
    const settle = () => {};
    for (const text of ["a", "b", "c"]) waiting.add(record(text.repeat(50)), settle, 0);
    const first = waiting.take(2 * recordCost(50));
    expect([first.records.length, first.bytes, first.settles.length]).toEqual([2, 2 * recordCost(50), 2]);
    expect(waiting.take(1).records).toHaveLength(1);
    expect(waiting.take(1).records).toHaveLength(0);
  });

  it("replaces a volatile one of the same channel and conflation, and puts the newer one at the end", () => {
    const { waiting, out } = setUp();
    waiting.add(record("1", "volatile", "g:a", "x"), undefined, 0);
    waiting.add(record("2", "volatile", "g:b", "x"), undefined, 0);
    waiting.add(record("3", "volatile", "g:a"), undefined, 0);
    waiting.add(record("4", "volatile", "g:a"), undefined, 0);
    waiting.add(record("5", "volatile", "g:a", "x"), undefined, 0);
    expect(out).toEqual([["1", "replaced"]]);
    expect(takenTexts(waiting)).toEqual(["2", "3", "4", "5"]);
    waiting.add(record("6", "volatile", "g:a", "x"), undefined, 0);
    expect(out).toHaveLength(1);
  });

  it("replaces a durable one of the same channel, and no live one", () => {
    const { waiting, out } = setUp();
    for (const text of ["1", "2", "3"]) waiting.add(record(text, "durable"), undefined, 0);
    for (const text of ["4", "5"]) waiting.add(record(text, "live"), undefined, 0);
    waiting.add(record("6", "durable", "g:other"), undefined, 0);
    expect(out).toEqual([
      ["1", "replaced"],
      ["2", "replaced"],
    ]);
    expect(takenTexts(waiting)).toEqual(["3", "4", "5", "6"]);
  });

  it("gives up the oldest of a class past its bound, and leaves other classes alone", () => {
    const { waiting, out } = setUp({ maxBytes: 1_000 });
    waiting.add(record("control", "control"), undefined, 0);
    for (let i = 0; i < 6; i++) waiting.add(record(`${i}`.repeat(122)), undefined, 0);
    expect(out.map(([text, reason]) => [text.slice(0, 1), reason])).toEqual([
      ["0", "given_up"],
      ["1", "given_up"],
    ]);
    expect(waiting.bytes).toBe(1_000 + "control".length + 128);
    waiting.add(record("x".repeat(2_000)), undefined, 0);
    expect(out).toHaveLength(7);
    expect(takenTexts(waiting)).toEqual(["control"]);
  });

  it("gives up what has waited for too long, and all when it is cleared", () => {
    const { waiting, out } = setUp({ holdMs: 100 });
    waiting.add(record("old", "control"), undefined, 0);
    waiting.add(record("older", "durable"), undefined, 0);
    waiting.add(record("new"), undefined, 50);
    waiting.expire(99);
    expect(out).toEqual([]);
    waiting.expire(100);
    expect(out.map(([text]) => text).toSorted()).toEqual(["old", "older"]);
    waiting.clear();
    expect(out.at(-1)).toEqual(["new", "given_up"]);
    expect(waiting.isEmpty).toBe(true);
  });
});
