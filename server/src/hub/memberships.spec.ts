import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { Memberships } from "./memberships.ts";

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

  it("refuses one more than the node keeps, and takes it again when another has ended", () => {
    const memberships = new Memberships(10, 2);
    memberships.add("ann", "a");
    memberships.add("bob", "a");
    expect(() => memberships.add("cat", "a")).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
    memberships.remove("bob", "a");
    expect(memberships.add("cat", "a")).toBe(true);
    expect(memberships.playersOf("a")).toEqual(["ann", "cat"]);
  });
});
