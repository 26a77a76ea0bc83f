import { describe, expect, it } from "vitest";
import { type BrokerUnderTest, newName } from "../testing/broker-under-test.ts";
import type { StandingStore } from "./standing-store.ts";

const nothing = { bannedUntilMs: undefined, banReason: "", revokedBeforeMs: 0, kickedAtMs: 0 };

/** The contract of {@link StandingStore}. */
export function describeStandingStore(under: () => BrokerUnderTest): void {
  describe("standing", () => {
    const stores = (): [StandingStore, StandingStore] => [under().nodes[0].standing, under().nodes[1].standing];

    it("is nothing until somebody is banned, for a time or for good, and not after that was lifted", async () => {
      const [one, other] = stores();
      const player = newName("player");
      expect(await one.get("game", player)).toEqual(nothing);
      const untilMs = Math.ceil(under().nowMs()) + 60_000;
      await one.ban("game", player, untilMs, "é\0");
      expect(await other.get("game", player)).toEqual({ ...nothing, bannedUntilMs: untilMs, banReason: "é\0" });
      await one.ban("game", player, Number.POSITIVE_INFINITY, "again");
      expect(await other.get("game", player)).toMatchObject({
        bannedUntilMs: Number.POSITIVE_INFINITY,
        banReason: "again",
      });
      expect(await other.get("other", player)).toEqual(nothing);
      expect(await other.unban("game", player)).toBe(true);
      expect(await one.get("game", player)).toEqual(nothing);
      expect(await one.unban("game", player)).toBe(false);
    });

    it("forgets a ban when its time has passed", async () => {
      const [one, other] = stores();
      const player = newName("player");
      await one.ban("game", player, under().nowMs() + 200, "short");
      await under().elapse(250);
      expect(await other.get("game", player)).toEqual(nothing);
      expect(await one.unban("game", player)).toBe(false);
    });

    it("voids tokens, and is never set back by an older time", async () => {
      const [one, other] = stores();
      const player = newName("player");
      await one.revoke("game", player, 5000, 60_000);
      await other.revoke("game", player, 4000, 60_000);
      expect(await other.get("game", player)).toEqual({ ...nothing, revokedBeforeMs: 5000 });
      await one.ban("game", player, under().nowMs() + 60_000, "");
      await one.unban("game", player);
      expect(await other.get("game", player)).toEqual({ ...nothing, revokedBeforeMs: 5000 });
    });

    it("tells each kick from those before, beside a ban and void tokens, and forgets it after its life", async () => {
      const [one, other] = stores();
      const player = newName("player");
      const kicks: number[] = [];
      for (const store of [one, other, one]) {
        await store.kick("game", player, 60_000);
        kicks.push((await other.get("game", player)).kickedAtMs);
      }
      expect(kicks[0]).toBeGreaterThan(0);
      expect(kicks[1]).toBeGreaterThan(kicks[0] ?? 0);
      expect(kicks[2]).toBeGreaterThan(kicks[1] ?? 0);
      await one.ban("game", player, under().nowMs() + 60_000, "");
      await other.revoke("game", player, 5000, 60_000);
      await one.unban("game", player);
      expect(await one.get("game", player)).toEqual({ ...nothing, revokedBeforeMs: 5000, kickedAtMs: kicks[2] });
      const brief = newName("player");
      await one.kick("game", brief, 200);
      await under().elapse(250);
      expect(await other.get("game", brief)).toEqual(nothing);
    });

    it("forgets void tokens after their life, and keeps a ban beside them", async () => {
      const [one, other] = stores();
      const [player, banned] = [newName("player"), newName("player")];
      await one.ban("game", banned, Number.POSITIVE_INFINITY, "for good");
      for (const each of [player, banned]) await one.revoke("game", each, 5000, 200);
      await under().elapse(250);
      expect(await other.get("game", player)).toEqual(nothing);
      expect(await other.get("game", banned)).toMatchObject({ bannedUntilMs: Number.POSITIVE_INFINITY });
    });
  });
}
