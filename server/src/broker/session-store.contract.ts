import { describe, expect, it } from "vitest";
import { type BrokerUnderTest, newName } from "../testing/broker-under-test.ts";
import type { SessionClaim, SessionStore } from "./session-store.ts";

const [one, other] = [0xffff_0000_0000_0001n, 2n] as const;
const lifeMs = 60_000;

/** The contract of {@link SessionStore}. */
export function describeSessionStore(under: () => BrokerUnderTest): void {
  describe("sessions", () => {
    const store = (): SessionStore => under().nodes[0].sessions;
    const bytes = (text: string) => Buffer.from(`\0${text}\xff\n`, "latin1");
    const claimOf = (sessionId: string, changes: Partial<SessionClaim> = {}): SessionClaim => ({
      ...{ appId: "game", sessionId, attempt: 1, owner: one, record: bytes("record"), lifeMs, expects: "new" },
      ...changes,
    });
    const resume = (sessionId: string, attempt: number, owner: bigint, changes: Partial<SessionClaim> = {}) =>
      store().claim(claimOf(sessionId, { attempt, owner, expects: "existing", ...changes }));

    it("are claimed, and taken over with a higher attempt, which names the owner before", async () => {
      const id = newName("session");
      expect(await store().claim(claimOf(id))).toEqual({ outcome: "claimed", previous: undefined });
      const previous = { owner: one, record: bytes("record") };
      const taken = await under().nodes[1].sessions.claim(
        claimOf(id, { attempt: 2, owner: other, expects: "existing", record: bytes("new") }),
      );
      expect(taken).toEqual({ outcome: "claimed", previous });
      expect(await resume(id, 3, other)).toEqual({
        outcome: "claimed",
        previous: { owner: other, record: bytes("new") },
      });
    });

    it("are refused to an attempt that is not higher, and nothing changes", async () => {
      const id = newName("session");
      await store().claim(claimOf(id, { attempt: 5 }));
      for (const attempt of [5, 4]) {
        expect(await resume(id, attempt, other)).toEqual({ outcome: "stale", attempt: 5 });
      }
      expect(await resume(id, 6, other)).toMatchObject({ outcome: "claimed", previous: { owner: one } });
    });

    it("answer a repeated claim as the first", async () => {
      const id = newName("session");
      for (let i = 0; i < 2; i++) {
        expect(await store().claim(claimOf(id))).toEqual({ outcome: "claimed", previous: undefined });
      }
      for (let i = 0; i < 2; i++) {
        const previous = { owner: one, record: bytes("record") };
        expect(await resume(id, 2, other, { record: bytes("two") })).toEqual({ outcome: "claimed", previous });
      }
      expect(await resume(id, 2, one)).toEqual({ outcome: "stale", attempt: 2 });
    });

    it("that are not there are unknown, and one that is there is not new", async () => {
      const id = newName("session");
      expect(await resume(id, 1, one)).toEqual({ outcome: "unknown" });
      await store().claim(claimOf(id));
      expect(await store().claim(claimOf(id, { attempt: 9, owner: other }))).toEqual({ outcome: "stale", attempt: 1 });
      expect(await resume(id, 2, one, { appId: "other" })).toEqual({ outcome: "unknown" });
    });

    it("of two claims at once one wins", async () => {
      const id = newName("session");
      await store().claim(claimOf(id));
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, i) => resume(id, 2, BigInt(10 + i)).then(({ outcome }) => outcome)),
      );
      expect(results.filter((outcome) => outcome === "claimed")).toHaveLength(1);
      expect(results.filter((outcome) => outcome === "stale")).toHaveLength(9);
    });

    it("are ended by their owner alone: forgotten, or with a tombstone that refuses them for its life", async () => {
      const [forgotten, buried] = [newName("session"), newName("session")];
      for (const id of [forgotten, buried]) await store().claim(claimOf(id));
      await store().end("game", forgotten, other, undefined);
      await store().end("game", buried, other, { code: 4007, lifeMs: 300 });
      for (const id of [forgotten, buried])
        expect(await resume(id, 1, other)).toEqual({ outcome: "stale", attempt: 1 });
      for (let i = 0; i < 2; i++) {
        await store().end("game", forgotten, one, undefined);
        await store().end("game", buried, one, { code: 4007, lifeMs: 300 });
      }
      expect(await resume(forgotten, 2, other)).toEqual({ outcome: "unknown" });
      expect(await resume(buried, 2, other)).toEqual({ outcome: "ended", code: 4007 });
      expect(await store().claim(claimOf(buried, { attempt: 3 }))).toEqual({ outcome: "ended", code: 4007 });
      await store().extend("game", buried, one, lifeMs);
      await under().elapse(350);
      expect(await resume(buried, 4, other)).toEqual({ outcome: "unknown" });
    });

    it("are ended by a claim that knows of a kick since they began, and not by one that knows of none", async () => {
      const [before, after] = [newName("session"), newName("session")];
      const kicked = { atMs: 50, code: 4007, lifeMs: 300 };
      await store().claim(claimOf(before));
      await store().claim(claimOf(after, { kicked }));
      for (const id of [before, after]) expect(await resume(id, 2, other)).toMatchObject({ outcome: "claimed" });
      expect(await resume(before, 2, one, { kicked })).toMatchObject({ outcome: "stale" });
      expect(await resume(before, 3, one, { kicked })).toEqual({ outcome: "ended", code: 4007 });
      expect(await resume(before, 4, other)).toEqual({ outcome: "ended", code: 4007 });
      expect(await resume(after, 3, one, { kicked })).toMatchObject({ outcome: "claimed" });
      expect(await resume(after, 4, one, { kicked: { ...kicked, atMs: 51 } })).toEqual({
        outcome: "ended",
        code: 4007,
      });
      await under().elapse(350);
      expect(await resume(before, 5, other)).toEqual({ outcome: "unknown" });
    });

    it("live as long as they were claimed or extended for, by their owner", async () => {
      const [short, long, others] = [newName("session"), newName("session"), newName("session")];
      for (const id of [short, long, others]) await store().claim(claimOf(id, { lifeMs: 300 }));
      await store().extend("game", long, one, lifeMs);
      await store().extend("game", long, one, 300); // never shorter
      await store().extend("game", others, other, lifeMs);
      await under().elapse(350);
      expect(await resume(short, 2, other)).toEqual({ outcome: "unknown" });
      expect(await resume(others, 2, other)).toEqual({ outcome: "unknown" });
      expect(await resume(long, 2, other)).toMatchObject({ outcome: "claimed" });
      await store().extend("game", newName("session"), one, lifeMs); // none: nothing happens
    });
  });
}
