import { describe, expect, it } from "vitest";
import { Lane } from "./lane.ts";
import type { ActiveRule } from "./rule-book.ts";

function lane() {
  const seen: string[] = [];
  const reads: boolean[] = [];
  const network = { unsent: 0 };
  const one = new Lane({ unsentBytes: () => network.unsent, read: (go) => reads.push(go) });
  const item = (name: string, bytes = 1) => ({ bytes, isFrame: true, write: () => void seen.push(name) });
  return { one, item, seen, reads, network };
}

const by = (): ActiveRule => ({
  lifted: false,
  rule: { name: "", connection: 0, point: "toClient", pattern: {}, nth: 1, times: 0, action: { kind: "stall" } },
});

describe("Lane", () => {
  it("reads no more while more waits than it may hold, and again when half of it is gone", () => {
    const { one, item, seen, reads } = lane();
    const rule = by();
    one.push({ ...item("first"), stalledBy: rule });
    one.push(item("second", 1024 * 1024));
    expect(reads).toEqual([false]);
    rule.lifted = true;
    one.pump();
    expect(seen).toEqual(["first", "second"]);
    expect(reads).toEqual([false, true]);
  });

  it("waits for a receiving end that is slow", () => {
    const { one, item, seen, network } = lane();
    network.unsent = 2 * 1024 * 1024;
    one.push(item("first"));
    expect(seen).toEqual([]);
    network.unsent = 0;
    one.pump();
    expect(seen).toEqual(["first"]);
  });

  it("lets go of what it has held back when the rule is lifted, and nothing once it has ended", () => {
    const { one, item, seen } = lane();
    const rule = by();
    one.hold(item("held"), 5, rule);
    one.push(item("first"));
    rule.lifted = true;
    one.pump();
    expect(seen).toEqual(["first", "held"]);
    one.end();
    one.push(item("late"));
    expect(seen).toEqual(["first", "held"]);
  });
});
