import { CloseCode, ErrorCode, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Memberships } from "./memberships.ts";
import { PublishResults } from "./publish-results.ts";
import { Tombstones } from "./tombstones.ts";

describe("PublishResults", () => {
  it("takes for a repeat what is not higher than the highest of its class", () => {
    const results = new PublishResults(4);
    expect(results.isRepeat(1, false)).toBe(false);
    results.see(5, false);
    expect([1, 5, 6].map((seq) => results.isRepeat(seq, false))).toEqual([true, true, false]);
    expect(results.isRepeat(5, true)).toBe(false);
    results.see(3, true);
    expect([3, 4].map((seq) => results.isRepeat(seq, true))).toEqual([true, false]);
    results.see(4, false);
    expect(results.isRepeat(5, false)).toBe(true);
    expect(results.isRepeat(2 ** 53 - 1, false)).toBe(false);
  });

  it("remembers the newest results, and says UNKNOWN of what it has forgotten", () => {
    const results = new PublishResults(3);
    expect(results.resultOf(1)).toEqual({ outcome: Outcome.UNKNOWN, code: ErrorCode.UNSPECIFIED });
    results.remember(1, Outcome.DELIVERED);
    results.remember(2, Outcome.FAILED, ErrorCode.PERMISSION_DENIED);
    results.remember(2 ** 53 - 1, Outcome.OFFLINE);
    expect(results.resultOf(2)).toEqual({ outcome: Outcome.FAILED, code: ErrorCode.PERMISSION_DENIED });
    expect(results.resultOf(2 ** 53 - 1).outcome).toBe(Outcome.OFFLINE);
    results.remember(4, Outcome.DELIVERED);
    expect(results.resultOf(1).outcome).toBe(Outcome.UNKNOWN);
    expect([2, 4].map((seq) => results.resultOf(seq).outcome)).toEqual([Outcome.FAILED, Outcome.DELIVERED]);
  });
});

describe("Tombstones", () => {
  it("keeps the code for the window", () => {
    const clock = new VirtualClock();
    const tombstones = new Tombstones(clock, 1_000);
    tombstones.add("s", CloseCode.KICKED);
    clock.advance(999);
    expect(tombstones.get("s")).toBe(CloseCode.KICKED);
    expect(tombstones.get("other")).toBeUndefined();
    clock.advance(1);
    expect(tombstones.get("s")).toBeUndefined();
  });

  it("forgets the oldest at its bound, and what has expired before that", () => {
    const clock = new VirtualClock();
    const tombstones = new Tombstones(clock, 1_000, 3);
    for (const id of ["a", "b", "c", "d"]) tombstones.add(id, CloseCode.BANNED);
    expect(["a", "b", "c", "d"].filter((id) => tombstones.get(id) !== undefined)).toEqual(["b", "c", "d"]);
    clock.advance(1_000);
    for (const id of ["e", "f", "g"]) tombstones.add(id, CloseCode.BANNED);
    expect(["e", "f", "g"].filter((id) => tombstones.get(id) !== undefined)).toEqual(["e", "f", "g"]);
  });
});

describe("Memberships", () => {
  it("knows both ways, in the order of names", () => {
    const memberships = new Memberships(10);
    expect(memberships.add("bob", "g")).toBe(true);
    expect(memberships.add("alice", "g")).toBe(true);
    expect(memberships.add("alice", "a")).toBe(true);
    expect(memberships.add("alice", "g")).toBe(false);
    expect(memberships.groupsOf("alice")).toEqual(["a", "g"]);
    expect(memberships.playersOf("g")).toEqual(["alice", "bob"]);
    expect(memberships.has("bob", "a")).toBe(false);
    expect(memberships.remove("alice", "g")).toBe(true);
    expect(memberships.remove("alice", "g")).toBe(false);
    expect(memberships.remove("nobody", "g")).toBe(false);
    expect(memberships.playersOf("g")).toEqual(["bob"]);
    memberships.remove("bob", "g");
    expect(memberships.playersOf("g")).toEqual([]);
    expect(memberships.groupsOf("bob")).toEqual([]);
  });

  it("bounds the groups of a player, whatever the names", () => {
    const memberships = new Memberships(2);
    memberships.add("p", "__proto__");
    memberships.add("p", "constructor");
    expect(() => memberships.add("p", "third")).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
    expect(memberships.add("p", "constructor")).toBe(false);
    memberships.remove("p", "__proto__");
    expect(memberships.add("p", "third")).toBe(true);
    expect(memberships.has("q", "third")).toBe(false);
  });
});
