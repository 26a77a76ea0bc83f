import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { Bans } from "./bans.ts";
import { Revocations } from "./revocations.ts";

class FakeTime {
  ms = 1_000_000;
  readonly now = () => this.ms;
}

describe("Bans", () => {
  it("keeps a player of one app out until the ban ends", () => {
    const time = new FakeTime();
    const bans = new Bans(time.now);
    bans.ban("a", "p", 60, "cheating");
    expect(() => bans.check("a", "p")).toThrow(
      expect.objectContaining({ code: ErrorCode.BANNED, message: "cheating" }),
    );
    expect(bans.banOf("b", "p")).toBeUndefined();
    time.ms += 59_999;
    expect(bans.banOf("a", "p")?.reason).toBe("cheating");
    time.ms += 1;
    expect(() => bans.check("a", "p")).not.toThrow();
  });

  it("keeps a player out for good, until the ban is lifted", () => {
    const time = new FakeTime();
    const bans = new Bans(time.now);
    bans.ban("a", "p", 0, "");
    time.ms += 1e12;
    expect(() => bans.check("a", "p")).toThrow("the player is banned");
    expect([bans.unban("a", "p"), bans.unban("a", "p")]).toEqual([true, false]);
    expect(bans.banOf("a", "p")).toBeUndefined();
  });

  it("refuses one ban too many, makes room of those that have ended, and never forgets one that holds", () => {
    const time = new FakeTime();
    const bans = new Bans(time.now, { maxEntries: 2 });
    bans.ban("a", "p1", 10, "");
    bans.ban("a", "p2", 0, "");
    expect(() => bans.ban("a", "p3", 10, "")).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
    bans.ban("a", "p1", 20, "longer");
    time.ms += 10_000;
    expect(() => bans.ban("a", "p3", 10, "")).toThrow();
    time.ms += 10_000;
    bans.ban("a", "p3", 10, "");
    expect([bans.banOf("a", "p1"), bans.banOf("a", "p2")?.reason, bans.banOf("a", "p3")?.reason]).toEqual([
      undefined,
      "",
      "",
    ]);
  });

  it("keeps a share of the room for each app, as many as there are now", () => {
    let apps = 1;
    const bans = new Bans(new FakeTime().now, { maxEntries: 4, apps: () => apps });
    const ban = (appId: string, playerId: string) => bans.ban(appId, playerId, 0, "");
    for (const player of ["p1", "p2", "p3"]) ban("a", player);
    apps = 2;
    expect(() => ban("a", "p4")).toThrow(/keeps 2 bans of an app/);
    expect(bans.banOf("a", "p1"), "what is kept stays").toBeDefined();
    for (const player of ["p1", "p2"]) ban("b", player);
    expect(() => ban("b", "p3")).toThrow(/keeps 2 bans of an app/);
    apps = 0;
    ban("b", "p3");
  });

  it("forgets the oldest of the app where they are a copy, and refuses none", () => {
    const bans = new Bans(new FakeTime().now, { maxEntries: 4, apps: () => 2, isCopy: true });
    bans.ban("b", "stays", 0, "");
    bans.ban("a", "p1", 0, "");
    bans.ban("a", "p2", 0, "");
    bans.ban("a", "p1", 0, "again");
    bans.ban("a", "p3", 0, "");
    const left = ["p1", "p2", "p3"].filter((player) => bans.banOf("a", player) !== undefined);
    expect(left).toEqual(["p1", "p3"]);
    expect([bans.sizeOf("a"), bans.sizeOf("b")]).toEqual([2, 1]);
    bans.unban("b", "stays");
    expect(bans.sizeOf("b")).toBe(0);
  });
});

describe("Revocations", () => {
  it("refuses tokens that were issued before, and those that do not say when", () => {
    const revocations = new Revocations(new FakeTime().now);
    revocations.revoke("a", "p", 500_000);
    expect(revocations.isRevoked("a", "p", 499_999)).toBe(true);
    expect(revocations.isRevoked("a", "p", 0)).toBe(true);
    expect(revocations.isRevoked("a", "p", 500_000)).toBe(false);
    expect(revocations.isRevoked("b", "p", 0)).toBe(false);
    expect(() => revocations.check("a", "p", 1)).toThrow(expect.objectContaining({ code: ErrorCode.TOKEN_REVOKED }));
  });

  it("is not moved back by an earlier time", () => {
    const revocations = new Revocations(new FakeTime().now);
    revocations.revoke("a", "p", 500_000);
    expect(revocations.revoke("a", "p", 400_000)).toBe(500_000);
    expect(revocations.isRevoked("a", "p", 450_000)).toBe(true);
  });

  it("remembers for 24 hours, and forgets on demand", () => {
    const time = new FakeTime();
    const revocations = new Revocations(time.now);
    revocations.revoke("a", "p", time.ms);
    revocations.revoke("a", "q", time.ms);
    revocations.forget("a", "q");
    time.ms += 24 * 3600 * 1000 - 1;
    expect([revocations.isRevoked("a", "p", 1), revocations.isRevoked("a", "q", 1)]).toEqual([true, false]);
    time.ms += 1;
    expect(revocations.isRevoked("a", "p", 1)).toBe(false);
  });

  it("refuses one too many", () => {
    const revocations = new Revocations(new FakeTime().now, { maxEntries: 1 });
    revocations.revoke("a", "p", 1);
    expect(() => revocations.revoke("a", "q", 1)).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
  });
});
