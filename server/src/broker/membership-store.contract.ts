import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type BrokerUnderTest, newName } from "../testing/broker-under-test.ts";
import type { MembershipStore } from "./membership-store.ts";

/** The contract of {@link MembershipStore}. */
export function describeMembershipStore(under: () => BrokerUnderTest): void {
  describe("memberships", () => {
    const stores = (): [MembershipStore, MembershipStore] => [
      under().nodes[0].memberships,
      under().nodes[1].memberships,
    ];

    /** All members of a group, page by page. */
    async function membersOf(group: string, limit: number): Promise<string[][]> {
      const pages: string[][] = [];
      let after: string | undefined;
      do {
        const { names, next } = await stores()[1].playersOf("game", group, after, limit);
        pages.push([...names]);
        after = next;
      } while (after !== undefined);
      return pages;
    }

    it("are made and ended, with a version that grows, and seen by every node", async () => {
      const [one, other] = stores();
      const [player, group] = [newName("player"), newName("chat:b")];
      expect(await other.groupsOf("game", player)).toEqual({ groups: [], version: 0 });
      const joined = await one.add("game", player, group, 10);
      expect(joined.changed).toBe(true);
      expect(joined.version).toBeGreaterThan(0);
      expect(await other.groupsOf("game", player)).toEqual({ groups: [group], version: joined.version });
      expect(await other.add("game", player, group, 10)).toEqual({ changed: false, version: joined.version });
      const second = await other.add("game", player, "chat:a", 10);
      expect(second.version).toBeGreaterThan(joined.version);
      expect((await one.groupsOf("game", player)).groups).toEqual(["chat:a", group].sort());
      const left = await one.remove("game", player, group);
      expect(left.changed).toBe(true);
      expect(left.version).toBeGreaterThan(second.version);
      expect(await other.groupsOf("game", player)).toEqual({ groups: ["chat:a"], version: left.version });
      expect(await one.remove("game", player, group)).toEqual({ changed: false, version: left.version });
      expect((await one.groupsOf("other", player)).groups).toEqual([]);
    });

    it("have versions that grow also when a player was in no group in between", async () => {
      const [one] = stores();
      const [player, group] = [newName("player"), newName("chat:x")];
      const versions: number[] = [];
      for (let i = 0; i < 3; i++) {
        versions.push((await one.add("game", player, group, 10)).version);
        versions.push((await one.remove("game", player, group)).version);
      }
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
      expect(new Set(versions).size).toBe(6);
    });

    it("are bounded for each player", async () => {
      const [one] = stores();
      const player = newName("player");
      for (const group of ["chat:1", "chat:2"]) await one.add("game", player, group, 2);
      const refused = one.add("game", player, "chat:3", 2);
      await expect(refused).rejects.toMatchObject({ code: ErrorCode.LIMIT_EXCEEDED });
      expect(await one.add("game", player, "chat:2", 2)).toMatchObject({ changed: false });
      await one.remove("game", player, "chat:1");
      expect(await one.add("game", player, "chat:3", 2)).toMatchObject({ changed: true });
      expect((await stores()[1].playersOf("game", "chat:1", undefined, 1000)).names).not.toContain(player);
    });

    it("are listed by group in the order of names, page by page, few or many", async () => {
      const [one] = stores();
      for (const count of [7, 300]) {
        const group = newName("chat:list");
        const players = Array.from({ length: count }, (_, i) => `p${String((i * 7919) % count).padStart(4, "0")}`);
        await Promise.all(players.map((player) => one.add("game", player, group, 1000)));
        const sorted = [...players].sort();
        expect(await membersOf(group, 1000)).toEqual([sorted]);
        const pages = await membersOf(group, 3);
        expect(pages.flat()).toEqual(sorted);
        expect(pages.every(({ length }) => length <= 3)).toBe(true);
        expect(await membersOf(group, count)).toEqual([sorted]);
        const leaving = players.filter((_, i) => i % 2 === 0);
        await Promise.all(leaving.map((player) => one.remove("game", player, group)));
        expect((await membersOf(group, 50)).flat()).toEqual(sorted.filter((player) => !leaving.includes(player)));
      }
      expect(await membersOf(newName("chat:empty"), 10)).toEqual([[]]);
    });

    it("agree in both directions after changes from two nodes at once", async () => {
      const [one, other] = stores();
      const group = newName("chat:race");
      const players = Array.from({ length: 20 }, () => newName("racer"));
      await Promise.all(
        players.flatMap((player) => [
          one.add("game", player, group, 10),
          other.remove("game", player, group),
          other.add("game", player, group, 10),
          one.remove("game", player, group),
        ]),
      );
      const listed = (await membersOf(group, 1000)).flat();
      for (const player of players) {
        expect((await one.groupsOf("game", player)).groups.includes(group)).toBe(listed.includes(player));
      }
    });
  });
}
