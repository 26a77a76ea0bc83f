import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { SupervisedClient } from "../../valkey/supervised-client.ts";
import { DemotedPrimary, whoAnswers } from "../../valkey/testing/demoted-primary.ts";
import type { Command, Reply } from "../../valkey/valkey-client.ts";
import { LaneOutbox, refused } from "./lane-outbox.ts";

async function outbox(answer: (command: Command) => Reply = () => 1, cluster = true) {
  const clock = new VirtualClock();
  const batches: string[] = [];
  const connect = async () => ({
    send: async () => null,
    pipeline: async (commands: readonly Command[], slotOf: string, timeoutMs: number) => {
      batches.push(`${slotOf} ${timeoutMs} ${commands.map((command) => command.slice(0, 2).join(" ")).join(" ")}`);
      return commands.map(answer);
    },
    close() {},
  });
  const client = await SupervisedClient.connect({ connect, clock, log: silentLog, name: "lanes" });
  const box = new LaneOutbox({ client, clock, cluster, primaryOf: (tag) => tag[0] as string, timeoutMs: 150 });
  const publish = (tag: string, bytes = 1) => box.publish(tag, `c{${tag}}`, new Uint8Array(bytes));
  return { clock, batches, publish };
}

describe("the outbox of lanes", () => {
  it("sends what is published in one turn in one batch a shard", async () => {
    const { clock, batches, publish } = await outbox();
    const receivers = Promise.all(["a1", "b1", "a2", "a1"].map((tag) => publish(tag)));
    clock.turn();
    void publish("a3");
    clock.turn();
    expect(await receivers).toEqual([1, 1, 1, 1]);
    expect(batches).toEqual([
      "{a1} 150 SPUBLISH c{a1} SPUBLISH c{a2} SPUBLISH c{a1}",
      "{b1} 150 SPUBLISH c{b1}",
      "{a3} 150 SPUBLISH c{a3}",
    ]);
  });

  it("uses plain channels outside of a cluster", async () => {
    const { clock, batches, publish } = await outbox(() => 1, false);
    void publish("a");
    clock.turn();
    expect(batches).toEqual(["{a} 150 PUBLISH c{a}"]);
  });

  it("keeps batches within their bounds", async () => {
    const { clock, batches, publish } = await outbox();
    for (let i = 0; i < 70; i++) void publish("a");
    for (let i = 0; i < 3; i++) void publish("b", 600_000);
    clock.turn();
    expect(batches.map((batch) => batch.split("PUBLISH").length - 1)).toEqual([64, 6, 1, 1, 1]);
  });

  it("tells what a server refuses from what may have been sent", async () => {
    const moved = new Error("An error was signalled by the server: - Moved: 15495 127.0.0.1:45317; ExtensionError");
    const { clock, publish } = await outbox(([, channel]) => {
      if (channel === "c{a}") return moved;
      return channel === "c{ab}" ? new Error("Broken pipe") : 0;
    });
    const results = Promise.allSettled(["a", "ab", "ac"].map((tag) => publish(tag)));
    clock.turn();
    expect(await results).toMatchObject([
      { value: refused },
      { reason: { code: ErrorCode.UNAVAILABLE } },
      { value: 0 },
    ]);
  });

  describe("after a planned failover", () => {
    async function afterFailover(cluster = true) {
      const shard = new DemotedPrimary();
      const clock = new VirtualClock();
      const shared = { clock, log: silentLog, name: "lanes", whoAnswers };
      const client = await SupervisedClient.connect({ ...shared, connect: async () => shard });
      const box = new LaneOutbox({ client, clock, cluster, primaryOf: () => "p", timeoutMs: 150 });
      const settled = async <Result>(result: Promise<Result>): Promise<Result> => {
        for (let i = 0; i < 10; i++) {
          clock.turn();
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
        return await result;
      };
      const publish = () => settled(box.publish("a", "c{a}", new Uint8Array(1)));
      const probe = () => settled(box.probe("a", "c{a}", new Uint8Array(1)));
      return { shard, publish, probe };
    }

    it("tells at once that nobody received it, and goes to the primary with the next", async () => {
      const { shard, publish } = await afterFailover();
      expect([await publish(), await publish()]).toEqual([0, 1]);
      expect(shard.batches.filter((batch) => batch.includes("SPUBLISH"))).toHaveLength(2);
    });

    it("probes at the primary, and not again where it went there and nobody listens", async () => {
      const { shard, probe } = await afterFailover();
      expect(await probe()).toBe(1);
      shard.subscribers = 0;
      shard.batches.length = 0;
      expect(await probe()).toBe(0);
      expect(shard.batches).toEqual(["primary: SPUBLISH", "primary: FCALL 0, FCALL 1"]);
    });

    it("asks nobody outside of a cluster", async () => {
      const { shard, publish } = await afterFailover(false);
      shard.subscribers = 0;
      await publish();
      expect(shard.batches).toHaveLength(1);
    });
  });
});
