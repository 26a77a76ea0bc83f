import { beforeEach, describe, expect, it } from "vitest";
import type { MembershipStore } from "../broker/membership-store.ts";
import type { AppHub } from "./app-hub.ts";
import { ClusterMemberships } from "./cluster-memberships.ts";
import { Memberships } from "./memberships.ts";

describe("memberships in a cluster", () => {
  let stored: { groups: string[]; version: number };
  let reads: number;
  let changes: string[];
  let groups: Memberships;
  let memberships: ClusterMemberships;

  beforeEach(() => {
    stored = { groups: ["a"], version: 3 };
    reads = 0;
    changes = [];
    groups = new Memberships(100);
    const hub = {
      appId: "game",
      memberships: groups,
      join: (player: string, group: string) => groups.add(player, group) && changes.push(`+${group}`),
      leave: (player: string, group: string) => groups.remove(player, group) && changes.push(`-${group}`),
    } as unknown as AppHub;
    const store = {
      groupsOf: () => {
        reads++;
        return Promise.resolve({ ...stored });
      },
    } as unknown as MembershipStore;
    memberships = new ClusterMemberships(hub, store);
  });

  const change = (group: string, member: boolean, version: number, mayLack = false) =>
    memberships.apply({ playerId: "ann", group, member, version: BigInt(version), mayLack });

  it("are those of the store, and what is told while it is asked", async () => {
    const told = { playerId: "ann", group: "b", member: true, version: 4n, mayLack: false };
    await memberships.load("ann", [{ ...told, group: "old", version: 3n }, told]);
    expect(groups.groupsOf("ann").sort()).toEqual(["a", "b"]);
    expect(reads).toBe(1);
  });

  it("follow what is told in its order without the store, and drop what they know", async () => {
    await memberships.load("ann", []);
    await change("b", true, 4);
    await change("a", false, 5);
    await change("c", true, 4);
    expect([changes, reads]).toEqual([["+b", "-a"], 1]);
  });

  it("ask the store where something was not told, and take over all of it", async () => {
    await memberships.load("ann", []);
    stored = { groups: ["b", "c"], version: 6 };
    await change("c", true, 6);
    await change("b", true, 5);
    expect([changes.sort(), reads]).toEqual([["+b", "+c", "-a"], 2]);
  });

  it("ask it when whoever tells has changed nothing, and somebody may have", async () => {
    await memberships.load("ann", []);
    await change("a", true, 3, true);
    expect(reads).toBe(1);
    stored = { groups: ["a", "b"], version: 4 };
    await change("a", true, 4, true);
    expect([changes, reads]).toEqual([["+b"], 2]);
  });

  it("are brought up to date by another session of the player", async () => {
    await memberships.load("ann", []);
    stored = { groups: [], version: 4 };
    await memberships.load("ann", []);
    expect(changes).toEqual(["-a"]);
  });

  it("of who is not here are nobody's concern", async () => {
    await change("b", true, 4);
    await memberships.load("ann", []);
    memberships.forget("ann");
    await change("b", true, 9);
    expect([groups.groupsOf("ann"), reads]).toEqual([[], 1]);
  });
});
