import { Acknowledgement } from "@fanfare/proto/config/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import {
  appendOf,
  type LogUnderTest,
  newChannel,
  outline,
  page,
  policyWith,
  stored,
} from "../../testing/log-under-test.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startStandalone, until, type ValkeyProcess, type ValkeyServers } from "../../testing/valkey-processes.ts";

const strict = { ...policyWith(), acknowledgement: Acknowledgement.REPLICA_STRICT };
const primaryOnly = { ...policyWith(), acknowledgement: Acknowledgement.PRIMARY };

describe.skipIf(requireTool("valkey-server") === undefined)("acknowledgement", () => {
  describe("by a primary with a replica", () => {
    let servers: ValkeyServers;
    let replica: ValkeyProcess;
    /** Two nodes of Fanfare. */
    let one: LogUnderTest;
    let other: LogUnderTest;

    beforeAll(async () => {
      servers = await startStandalone(1);
      replica = servers.processes[1] as ValkeyProcess;
      one = await openValkeyLog(servers, { waitTimeoutMs: 200 });
      other = await openValkeyLog(servers, { waitTimeoutMs: 200 });
    }, 60_000);
    afterAll(async () => {
      replica?.resume();
      await one?.[Symbol.asyncDispose]();
      await other?.[Symbol.asyncDispose]();
      await servers?.[Symbol.asyncDispose]();
    });

    async function whileFrozen(work: () => Promise<void>): Promise<void> {
      replica.pause();
      try {
        await work();
      } finally {
        replica.resume();
        const primary = servers.processes[0] as ValkeyProcess;
        await until(async () => (await primary.command("WAIT", "1", "100")) === "1");
      }
    }

    it("waits for the replica, and says so", async () => {
      const channel = newChannel();
      expect((await stored(one.log, appendOf(channel, 1))).acknowledged).toBe("replica");
      expect((await stored(one.log, appendOf(channel, 2, { policy: strict }))).acknowledged).toBe("replica");
      expect((await stored(one.log, appendOf(channel, 3, { policy: primaryOnly }))).acknowledged).toBe("primary");
    });

    it("is unknown, with the position, while the replica is frozen, and found out by a repeat", async () => {
      for (const policy of [policyWith(), strict]) {
        const channel = newChannel();
        const first = await stored(one.log, appendOf(channel, 1, { policy }));
        const position = { epoch: first.position.epoch, offset: 2, tag: expect.any(Number) };
        await whileFrozen(async () => {
          const result = await one.log.append(appendOf(channel, 2, { policy }));
          expect(result).toEqual({ outcome: "unknown", position, reason: "not replicated in time" });
        });
        const again = await stored(one.log, appendOf(channel, 2, { policy }));
        expect(again).toMatchObject({ repeated: true, position, acknowledged: "replica" });
      }
    });

    it("is not given falsely to a repeat on a connection whose writes are all replicated", async () => {
      const channel = newChannel();
      await stored(one.log, appendOf(channel, 1));
      // The other node knows that there is a replica, and the last that its connection wrote is there.
      await stored(other.log, appendOf(newChannel(), 1));
      await whileFrozen(async () => {
        expect(await one.log.append(appendOf(channel, 2))).toMatchObject({ outcome: "unknown" });
        expect(await other.log.append(appendOf(channel, 2))).toMatchObject({
          outcome: "unknown",
          position: { offset: 2 },
        });
        // The fact itself: such a connection is told that a replica has everything.
        expect(await (servers.processes[0] as ValkeyProcess).command("WAIT", "1", "100")).toBe("1");
      });
      expect(await stored(other.log, appendOf(channel, 2))).toMatchObject({ repeated: true, position: { offset: 2 } });
    });

    it("of a cursor waits for the replica as well: who has none begins at the head", async () => {
      const channel = newChannel();
      const at = (offset: number) => ({ epoch: 1, offset, tag: 7 });
      expect(await one.cursors.commit(channel, "ann", at(1))).toEqual(at(1));
      await whileFrozen(async () => {
        for (const player of ["ann", "bob"]) {
          const commit = one.cursors.commit(channel, player, at(2));
          await expect(commit).rejects.toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED });
        }
      });
      expect(await one.cursors.commit(channel, "bob", at(3))).toEqual(at(3));
      expect(await other.cursors.get(channel, "bob")).toEqual(at(3));
    });

    it("holds up nobody who does not wait for it", async () => {
      const channel = newChannel();
      const read = newChannel();
      await stored(one.log, appendOf(read, 1));
      await whileFrozen(async () => {
        const order: string[] = [];
        const slow = one.log.append(appendOf(channel, 1)).then(() => order.push("waiting"));
        await stored(one.log, appendOf(newChannel(), 1, { policy: primaryOnly })).then(() => order.push("primary"));
        await page(one.log, read).then(() => order.push("read"));
        await slow;
        expect(order).toEqual(["primary", "read", "waiting"]);
      });
    });

    it("is what a reader waits for: nobody reads ahead of the replica", async () => {
      const channel = newChannel();
      const first = await stored(one.log, appendOf(channel, 1));
      await whileFrozen(async () => {
        await one.log.append(appendOf(channel, 2));
        const { items, head, atEnd, isWithheld } = await page(one.log, channel);
        const expected = { items: "1", head: first.position, atEnd: true, isWithheld: true };
        expect({ items: outline(items), head, atEnd, isWithheld }).toEqual(expected);
        expect(await one.log.ends(channel, policyWith())).toMatchObject({ head: first.position, isWithheld: true });
        expect(outline((await page(one.log, channel, { direction: "backward" })).items)).toBe("1");
        expect((await one.log.rewind(channel, policyWith(), 0)).position).toEqual(first.position);
        // A node that knows nothing of the channel cannot tell what is replicated.
        await expect(page(other.log, channel)).rejects.toMatchObject({ code: ErrorCode.NOT_REPLICATED });
        // Where the primary is enough, everything can be read.
        expect(outline((await page(other.log, channel, { policy: primaryOnly })).items)).toBe("1 2");
      });
      expect(outline((await page(other.log, channel)).items)).toBe("1 2");
    });
  });

  describe("by a primary without a replica", () => {
    let servers: ValkeyServers;
    let under: LogUnderTest;

    beforeAll(async () => {
      servers = await startStandalone();
      under = await openValkeyLog(servers, { waitTimeoutMs: 5000 });
    }, 60_000);
    afterAll(async () => {
      await under?.[Symbol.asyncDispose]();
      await servers?.[Symbol.asyncDispose]();
    });

    it("is the primary's under replica, at once and said so", async () => {
      const channel = newChannel();
      const beganAtMs = performance.now();
      for (let seq = 1; seq <= 5; seq++) {
        expect((await stored(under.log, appendOf(channel, seq))).acknowledged).toBe("primary");
      }
      expect(outline((await page(under.log, channel)).items)).toBe("1 2 3 4 5");
      expect(performance.now() - beganAtMs).toBeLessThan(5000); // not one WAIT in vain
    });

    it("is refused under replica_strict, and nothing is stored", async () => {
      const channel = newChannel();
      const refused = under.log.append(appendOf(channel, 1, { policy: strict }));
      await expect(refused).rejects.toMatchObject({ code: ErrorCode.NOT_REPLICATED });
      expect((await under.log.ends(channel, primaryOnly)).head.offset).toBe(0);
      expect(await stored(under.log, appendOf(channel, 1))).toMatchObject({ repeated: false, position: { offset: 1 } });
    });

    it("waits for a replica that joins", async () => {
      const joining = await startStandalone();
      try {
        const [replica] = joining.processes as [ValkeyProcess];
        const [primary] = servers.processes as [ValkeyProcess];
        await replica.command("REPLICAOF", "127.0.0.1", `${primary.port}`);
        await until(async () => /state=online/.test(await primary.command("INFO", "replication")));
        expect((await stored(under.log, appendOf(newChannel(), 1))).acknowledged).toBe("replica");
      } finally {
        await joining[Symbol.asyncDispose]();
      }
    });
  });
});
