import { CloseCode } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { SessionArrivals } from "./session-arrivals.ts";
import type { Ending } from "./session-life.ts";

const kick: Ending = { reason: "kicked", code: CloseCode.KICKED, message: "out", tombstone: CloseCode.KICKED };

describe("sessions on their way to a node", () => {
  let arrivals: SessionArrivals;
  beforeEach(() => {
    arrivals = new SessionArrivals();
  });

  it("come one attempt after the other", async () => {
    const order: string[] = [];
    const first = arrivals.claim("s");
    const second = arrivals.claim("s");
    const other = arrivals.claim("t");
    expect([first.begun, other.begun]).toEqual([undefined, undefined]);
    const waiting = second.begun?.then(() => order.push("second"));
    await Promise.resolve();
    order.push("first");
    first.end();
    await waiting;
    expect(order).toEqual(["first", "second"]);
    second.end();
    expect(arrivals.claim("s").begun).toBeUndefined();
  });

  it("are ended with the player's others, and who comes after that is not", () => {
    const before = arrivals.begin("ann");
    const someone = arrivals.begin("bob");
    arrivals.kick({ playerId: "ann" }, kick);
    const after = arrivals.begin("ann");
    expect([before.kick(), someone.kick(), after.kick()]).toEqual([kick, undefined, undefined]);
  });

  it("are ended by their own name", () => {
    const [ended, other] = [arrivals.claim("s"), arrivals.claim("t")];
    arrivals.kick({ sessionId: "s" }, kick);
    arrivals.kick({ sessionId: "nobody" }, kick);
    expect([ended.kick(), other.kick()]).toEqual([kick, undefined]);
  });

  it("are superseded by a higher attempt at another node alone, as long as they arrive", () => {
    const claim = arrivals.claim("s");
    arrivals.supersede("s", 4);
    arrivals.supersede("s", 3);
    expect([3, 4].map((attempt) => arrivals.isSuperseded("s", attempt))).toEqual([true, false]);
    claim.end();
    expect(arrivals.isSuperseded("s", 3)).toBe(false);
  });

  it("hear of changed memberships, as long as one of the player arrives", () => {
    const change = { playerId: "ann", group: "g", member: true, version: 1n, mayLack: false };
    const [one, two] = [arrivals.begin("ann"), arrivals.begin("ann")];
    one.end();
    arrivals.changed(change);
    arrivals.changed({ ...change, playerId: "bob" });
    expect([two.changes, arrivals.has("ann"), arrivals.has("bob")]).toEqual([[change], true, false]);
    two.end();
    expect(arrivals.has("ann")).toBe(false);
  });
});
