import { CloseCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Tombstones } from "./tombstones.ts";

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
