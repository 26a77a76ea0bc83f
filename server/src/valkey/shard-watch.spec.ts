import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { silentLog } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { FunctionLoader } from "./function-loader.ts";
import { type IsAffected, ShardWatch, type ShardWatchOptions } from "./shard-watch.ts";
import { SupervisedClient, type WhoAnswers } from "./supervised-client.ts";
import { whoAnswers } from "./testing/demoted-primary.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";
import { Topology } from "./topology.ts";
import { TrustedReads } from "./trusted-reads.ts";

/** Hash tags of which each is in one third of the slots. */
const tags = { a: "b", b: "c", c: "a" } as const;

async function watched(options: Partial<ShardWatchOptions> = {}, whoAnswers?: WhoAnswers) {
  const clock = new VirtualClock();
  const valkey = new FakeCluster();
  const cluster = options.cluster ?? true;
  const connect = async () => valkey;
  const supervision = { clock, log: silentLog, name: "test", replaceAfterMs: 1e9, whoAnswers };
  const client = await SupervisedClient.connect({ connect, ...supervision });
  const topology = new Topology({ client, log: silentLog, cluster });
  const shared = {
    client,
    topology,
    loader: new FunctionLoader(""),
    functionPrefix: "f",
    clock,
    cluster,
    timeoutMs: 150,
  };
  const watch = new ShardWatch({ ...shared, log: silentLog, ...options });
  const reads = new TrustedReads({ ...shared, watch, name: "the store", awaitsOwners: true });
  const told: string[] = [];
  const noteAffected = (isAffected: IsAffected) =>
    told.push(
      Object.entries(tags)
        .flatMap(([id, tag]) => (isAffected(tag) ? [id] : []))
        .join(""),
    );
  watch.onUnsettled(noteAffected);
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      clock.advance(0);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(Math.min(50, left));
      await settle();
    }
  };
  const read = async (tag: string): Promise<unknown> => {
    const reply = reads.read(tag, ["FCALL", "f_read", "1", `{${tag}}`]).catch((reason: unknown) => reason);
    await settle();
    return await reply;
  };
  const opened = watch.open();
  await settle();
  await opened;
  valkey.sent.length = 0;
  return { clock, valkey, topology, watch, reads, told, settle, pass, read };
}

const refused = expect.objectContaining({ code: ErrorCode.UNAVAILABLE });

describe("a watch over shards", () => {
  it("uses tags of all three shards", async () => {
    const { topology } = await watched();
    for (const [id, tag] of Object.entries(tags)) expect(topology.primaryOf(tag)).toBe(id);
  });

  it("trusts primaries that others name, and asks each of them twice a second", async () => {
    const { valkey, watch, pass, told } = await watched();
    for (const id of ["a", "b", "c"]) expect(watch.isTrusted(id)).toBe(true);
    await pass(4000);
    expect(valkey.sent.filter((line) => line.endsWith(" f_mark"))).toHaveLength(24);
    expect(valkey.sent).toHaveLength(24); // and nothing else
    await pass(2000);
    expect(valkey.sent.filter((line) => line.includes("CLUSTER NODES"))).toHaveLength(3);
    expect(told).toEqual([]);
  });

  it("takes back its trust when a primary has been silent for too long, until others name it again", async () => {
    const { clock, valkey, watch, pass, settle } = await watched();
    clock.stall(1600); // this process stood still
    expect(watch.isTrusted("a")).toBe(false);
    valkey.sent.length = 0;
    await pass(50);
    expect(valkey.sent.filter((line) => line.includes("CLUSTER NODES")).length).toBeGreaterThanOrEqual(3);
    expect(watch.isTrusted("a")).toBe(true);
    await settle();
  });

  it("does not believe a primary that wakes up when its replica has taken over, though it answers at once", async () => {
    const { clock, valkey, watch, told, settle } = await watched();
    // It stood still, and so did this process; the others know its successor, it does not.
    const before = valkey.describe(valkey.node("a"));
    clock.stall(4000);
    valkey.failOver("a", "successor");
    valkey.node("a").view = before;
    valkey.misrouted.set("successor", "a");
    expect(watch.answered({ node: "a", run: "1", number: 99 }, clock.monotonicMs())).toBe(false);
    for (let i = 0; i < 10; i++) {
      clock.advance(50);
      await settle();
      expect(watch.isTrusted("a")).toBe(false);
      expect(watch.answered({ node: "a", run: "1", number: 100 }, clock.monotonicMs())).toBe(false);
    }
    expect(told).toEqual(["a"]);
    valkey.misrouted.clear();
    clock.advance(500);
    await settle();
    expect(watch.isTrusted("successor")).toBe(true);
  });

  it("takes note of what others have been answered: it proves the primary, and says nothing of its run", async () => {
    const { clock, valkey, watch, told } = await watched();
    valkey.failing = () => new Error("timed out");
    valkey.node("a").isUp = false; // to this client
    const answered = (node: string) =>
      watch.answeredElsewhere({ node, run: "its own", number: 1 }, clock.monotonicMs());
    for (let i = 0; i < 4; i++) {
      clock.stall(1000);
      expect([answered("a"), answered("nobody")]).toEqual([true, false]);
    }
    clock.stall(1600);
    expect(answered("a")).toBe(false);
    expect(told).toEqual([]);
  });

  it("asks about one that it does not know within 50 ms, however often it is told of answers of that one", async () => {
    const { clock, valkey, watch, settle } = await watched();
    valkey.failOver("b", "elected");
    for (let i = 0; i < 20; i++) {
      watch.answered({ node: "elected", run: "1", number: i }, clock.monotonicMs());
      clock.advance(10);
      await settle();
    }
    expect(watch.isTrusted("elected")).toBe(true);
  });

  it("does not take the word of a primary for itself, nor of others that think it dead", async () => {
    const { clock, valkey, watch, pass } = await watched();
    clock.stall(2000);
    const real = valkey.describe(valkey.node("b"));
    valkey.node("b").view = real.replace("a 127.0.0.1:1@2 master", "a 127.0.0.1:1@2 master,fail?");
    await pass(500);
    expect([watch.isTrusted("a"), watch.isTrusted("b"), watch.isTrusted("c")]).toEqual([false, true, true]);
    valkey.node("b").view = undefined;
    await pass(500);
    expect(watch.isTrusted("a")).toBe(true);
  });

  it("tells of slots that have another primary, and of a primary that has begun anew", async () => {
    const { valkey, watch, told, pass } = await watched();
    valkey.failOver("b", "elected");
    await pass(1000);
    expect(told).toEqual(["b"]);
    expect([watch.isTrusted("elected"), watch.isTrusted("b")]).toEqual([true, false]);
    valkey.node("c").run = "2";
    await pass(500);
    expect(told).toEqual(["b", "c"]);
    expect([watch.isTrusted("c"), watch.isSettled("c")]).toEqual([true, false]);
    await pass(3000);
    expect(watch.isSettled("c")).toBe(true);
  });

  it("counts a primary as failing until it answers, and asks it more often, not the others' users", async () => {
    const { valkey, watch, told, pass } = await watched();
    valkey.node("a").isUp = false;
    await pass(500);
    expect(watch.failing).toEqual(["a"]);
    expect([watch.isTrusted("a"), watch.isTrusted("b")]).toEqual([false, true]);
    valkey.node("a").isUp = true;
    await pass(100);
    expect([watch.failing, watch.isTrusted("a")]).toEqual([[], true]);
    expect(told).toEqual([]); // the same run, and less time than it takes to replace it
  });

  it("shows the primary to a client that asks another node instead, and asks again", async () => {
    const { valkey, watch, pass } = await watched({}, whoAnswers);
    valkey.misrouted.set("a", "b");
    valkey.redirects = true;
    await pass(1000);
    expect([watch.failing, watch.counts.failures, valkey.misrouted.size]).toEqual([[], 0, 0]);
  });

  it("takes a primary for failing whose client asks another node instead", async () => {
    const { valkey, watch, pass } = await watched();
    valkey.misrouted.set("a", "b");
    await pass(500);
    expect(watch.failing).toEqual(["a"]);
  });

  it("knows one primary outside of a cluster, and notices when it begins anew", async () => {
    const { valkey, watch, told, pass } = await watched({ cluster: false });
    for (const node of valkey.nodes) Object.assign(node, { id: "" });
    await pass(500);
    expect(watch.isTrusted("")).toBe(true);
    for (const node of valkey.nodes) node.run = "2";
    await pass(500);
    expect([told.length, watch.isTrusted(""), watch.isSettled("")]).toEqual([1, true, false]);
    await pass(3000);
    expect(watch.isSettled("")).toBe(true);
  });

  it("is silent when it is closed", async () => {
    const { clock, watch, valkey, pass } = await watched();
    watch.close();
    await pass(5000);
    expect([valkey.sent, clock.pendingTimers]).toEqual([[], 0]);
  });
});

describe("trusted reads", () => {
  it("of one turn share a round trip for each primary, with a mark behind them", async () => {
    const { valkey, reads, settle } = await watched();
    valkey.answer = ([, , , key]) => [Buffer.from(String(key))];
    const replies = Promise.all(
      [tags.a, tags.b, tags.a, tags.a].map((tag) => reads.read(tag, ["FCALL", "f_read", "1", `{${tag}}`])),
    );
    await settle();
    expect((await replies).map((reply) => String((reply as unknown[])[1]))).toEqual(["{b}", "{c}", "{b}", "{b}"]);
    expect(valkey.sent).toEqual(["a f_read f_read f_read f_mark", "b f_read f_mark"]);
    expect(reads.counts).toEqual({ batches: 2, reads: 4, refused: 0 });
  });

  it("are refused without being sent while a primary fails, and asked once only", async () => {
    const { valkey, read, pass } = await watched();
    valkey.node("a").isUp = false;
    valkey.sent.length = 0;
    expect(await read(tags.a)).toEqual(refused);
    valkey.sent.length = 0;
    for (let i = 0; i < 5; i++) expect(await read(tags.a)).toEqual(refused);
    expect(valkey.sent.filter((line) => line.includes("f_read"))).toEqual([]);
    expect(await read(tags.b)).not.toEqual(refused);
    valkey.node("a").isUp = true;
    await pass(500);
    expect(await read(tags.a)).not.toEqual(refused);
  });

  it("are not answered by whoever has no right to", async () => {
    const { clock, valkey, read, pass } = await watched();
    valkey.misrouted.set("a", "b"); // the batch went to another node
    expect(await read(tags.a)).toEqual(refused);
    valkey.misrouted.clear();
    await pass(500);
    expect(await read(tags.a)).not.toEqual(refused);
    clock.stall(1600); // too long ago
    expect(await read(tags.a)).toEqual(refused);
    await pass(500);
    valkey.node("a").run = "2"; // empty
    expect(await read(tags.a)).toEqual(refused);
  });

  it("do not believe one that has begun anew, empty, and that a redirection led to", async () => {
    const { valkey, read } = await watched();
    const asked = valkey.pipeline.bind(valkey);
    valkey.pipeline = async (commands, slotOf) => {
      const replies = await asked(commands, slotOf);
      return replies.map((reply, i) => (String(commands[i]?.[1]).endsWith("_mark") ? reply : ["ok b:2:1"]));
    };
    expect(await read(tags.a)).toEqual(refused);
  });

  it("believe another primary that a redirection led to", async () => {
    const { valkey, read } = await watched();
    const redirected = valkey.pipeline.bind(valkey);
    valkey.pipeline = async (commands, slotOf) => {
      const replies = await redirected(commands, slotOf);
      return replies.map((reply, i) => (i === 0 && commands.length > 1 ? ["ok b:1:7", Buffer.from("moved")] : reply));
    };
    expect(await read(tags.a)).toEqual(["ok b:1:7", Buffer.from("moved")]);
    valkey.node("b").isUp = false;
    expect(await read(tags.b)).toEqual(refused);
    expect(await read(tags.a)).toEqual(refused);
  });

  it("are refused when they are closed", async () => {
    const { reads, read } = await watched();
    const waiting = expect(reads.read(tags.a, [])).rejects.toEqual(refused);
    reads.close();
    await waiting;
    expect(await read(tags.a)).toEqual(refused);
  });
});
