import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { createLog, silentLog } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { parseClusterNodes } from "./cluster-view.ts";
import { FunctionLoader } from "./function-loader.ts";
import { GroupedCalls, type GroupedCallsOptions } from "./grouped-calls.ts";
import { SlotMap } from "./slot-map.ts";
import { SupervisedClient } from "./supervised-client.ts";
import type { Command, Reply, ValkeyClient } from "./valkey-client.ts";

/** One primary as the calls see it: it numbers its answers, and does what a test tells it. */
class FakeValkey implements ValkeyClient {
  readonly groups: string[][] = [];
  replicas = 0;
  /** Replicas that answer a WAIT. */
  inSync = 0;
  /** How far the primary and its replicas are. */
  offset = 1;
  confirmedOffset = 0;
  /** Runs before a group is answered; may throw, or hold it up. */
  beforeGroup: (commands: readonly Command[]) => Promise<void> | void = () => {};
  /** Calls whose answer is given after the WAIT of their group, as those that were redirected away and back. */
  readonly answeredLate = new Set<string>();
  readonly #failing = new Map<string, Error[]>();
  #answers = 0;

  fail(name: string, ...errors: Error[]): void {
    this.#failing.set(name, errors);
  }

  async send(): Promise<string> {
    return "OK";
  }

  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    this.groups.push(commands.map((command) => String(command[0] === "FCALL" ? command[1] : command[0])));
    await this.beforeGroup(commands);
    const late: (() => void)[] = [];
    const replies = commands.map((command, i): Reply => {
      const [kind, name] = command.map(String);
      if (kind === "WAIT") return this.inSync;
      if (kind === "ROLE") {
        return ["master", this.offset, new Array(this.replicas).fill(["host", "port", `${this.confirmedOffset}`])];
      }
      const error = this.#failing.get(name as string)?.shift();
      if (error !== undefined) return error;
      if (this.answeredLate.delete(name as string)) {
        late.push(() => {
          replies[i] = this.#mark(name as string);
        });
        return "";
      }
      return this.#mark(name as string);
    });
    for (const answer of late) answer();
    return replies;
  }

  close(): void {}

  #mark(name: string): string {
    this.#answers++;
    return `${name} :1:${this.#answers}`;
  }
}

async function grouped(options: Partial<GroupedCallsOptions> = {}) {
  const clock = new VirtualClock();
  const valkey = new FakeValkey();
  const lines: string[] = [];
  const connect = async () => valkey;
  const calls = new GroupedCalls({
    name: "the store",
    functionPrefix: "f",
    keyPrefix: "k",
    client: await SupervisedClient.connect({ connect, clock, log: silentLog, name: "test", replaceAfterMs: 1e9 }),
    loader: new FunctionLoader(""),
    slots: new SlotMap(),
    clock,
    log: createLog({ level: "info", sink: ({ message }) => lines.push(message), nowMs: () => 0 }),
    cluster: false,
    waitTimeoutMs: 100,
    groupTimeoutMs: 100,
    callTimeoutMs: 2000,
    ...options,
  });
  const call = (name: string, bytes = 10) => calls.call("app/g:chat", ["FCALL", name, "1", "key"], bytes);
  /** Lets what is deferred and promised happen, without time passing. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      clock.advance(0);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  return { clock, valkey, calls, call, settle, lines };
}

describe("grouped calls", () => {
  it("share one round trip and one WAIT when they are under way together", async () => {
    const { valkey, call, settle } = await grouped();
    Object.assign(valkey, { replicas: 1, inSync: 1 });
    void call("first");
    await settle();
    valkey.groups.length = 0;
    const results = Promise.all(["a", "b", "c"].map((name) => call(name)));
    await settle();
    expect(valkey.groups).toEqual([["a", "b", "c", "WAIT", "f_mark", "ROLE"]]);
    expect((await results).map(({ acknowledged }) => acknowledged)).toEqual(["replica", "replica", "replica"]);
  });

  it("gather behind the group that is under way, within the bounds of a group", async () => {
    const { valkey, call, settle } = await grouped({ waitTimeoutMs: 0 });
    const gate = Promise.withResolvers<void>();
    valkey.beforeGroup = () => gate.promise;
    void call("first");
    await settle();
    for (let i = 0; i < 300; i++) void call("small");
    for (let i = 0; i < 3; i++) void call("large", 600_000);
    await settle();
    expect(valkey.groups).toHaveLength(1);
    gate.resolve();
    await settle();
    expect(valkey.groups.map(({ length }) => length)).toEqual([1, 256, 45, 1, 1]);
  });

  it("do not wait where there is no replica, and say so", async () => {
    const { valkey, call, settle } = await grouped();
    const result = call("a");
    await settle();
    expect(await result).toMatchObject({ acknowledged: "primary" });
    expect(valkey.groups).toEqual([["a", "f_mark", "ROLE"]]);
  });

  it("prove by a write and a WAIT what was written before a replica was known", async () => {
    const { valkey, call, settle } = await grouped();
    Object.assign(valkey, { replicas: 1, inSync: 1 });
    const result = call("a");
    await settle();
    expect(valkey.groups).toEqual([
      ["a", "f_mark", "ROLE"],
      ["f_touch", "WAIT", "f_mark", "ROLE"],
    ]);
    expect(await result).toMatchObject({ acknowledged: "replica", triedBefore: false });
  });

  it("do not take a WAIT for what was carried out behind it", async () => {
    const { valkey, call, settle } = await grouped();
    Object.assign(valkey, { replicas: 1, inSync: 1 });
    void call("first");
    await settle();
    valkey.groups.length = 0;
    valkey.answeredLate.add("wandered");
    const results = Promise.all([call("a"), call("wandered")]);
    await settle();
    expect(valkey.groups).toEqual([
      ["a", "wandered", "WAIT", "f_mark", "ROLE"],
      ["f_touch", "WAIT", "f_mark", "ROLE"],
    ]);
    expect((await results).map(({ acknowledged }) => acknowledged)).toEqual(["replica", "replica"]);
  });

  it("leave open what no replica has confirmed in time", async () => {
    const { valkey, call, settle } = await grouped();
    Object.assign(valkey, { replicas: 1, inSync: 0 });
    const result = call("a");
    await settle();
    expect(await result).toMatchObject({ acknowledged: undefined, reply: expect.stringMatching(/^a /) });
  });

  it("are content with the primary, if told so, until a replica that did not answer has caught up", async () => {
    const { valkey, calls, call, settle, lines } = await grouped({ withoutReplica: "primary" });
    Object.assign(valkey, { replicas: 1, inSync: 1 });
    void call("first");
    await settle();
    Object.assign(valkey, { inSync: 0, offset: 500 });
    const late = call("a");
    await settle();
    expect(await late).toMatchObject({ acknowledged: "primary" });
    expect([lines.splice(0), calls.lateReplicas]).toEqual([["a replica of valkey is late"], 1]);
    valkey.groups.length = 0;
    Object.assign(valkey, { offset: 600, confirmedOffset: 499 });
    for (const name of ["b", "c"]) {
      const result = call(name);
      await settle();
      expect(await result).toMatchObject({ acknowledged: "primary" });
    }
    Object.assign(valkey, { inSync: 1, confirmedOffset: 500 });
    const again = call("d");
    await settle();
    expect(await again).toMatchObject({ acknowledged: "replica" });
    expect(valkey.groups.slice(0, 3)).toEqual(["b", "c", "d"].map((name) => [name, "f_mark", "ROLE"]));
    expect(valkey.groups.at(-1)).toContain("WAIT");
    expect([lines, calls.lateReplicas]).toEqual([["a replica of valkey has caught up"], 1]);
  });

  it("say once that a replica is late, for as long as it is", async () => {
    const { valkey, calls, call, settle, lines } = await grouped();
    Object.assign(valkey, { replicas: 1, inSync: 0 });
    for (const name of ["a", "b", "c"]) {
      void call(name);
      await settle();
    }
    expect([lines.splice(0), calls.lateReplicas]).toEqual([["a replica of valkey is late"], 1]);
    valkey.inSync = 1;
    void call("d");
    await settle();
    expect([lines, calls.lateReplicas]).toEqual([["a replica of valkey has caught up"], 1]);
  });

  it("do not take the word of a primary that cannot be believed", async () => {
    let isBelieved = false;
    const { clock, valkey, call, settle } = await grouped({ isBelieved: () => isBelieved });
    const result = call("a");
    await settle();
    isBelieved = true;
    for (let i = 0; i < 3; i++) {
      clock.advance(100);
      await settle();
    }
    expect(await result).toMatchObject({ acknowledged: "primary", triedBefore: true });
    expect(valkey.groups.filter((group) => group.includes("a"))).toHaveLength(2);
  });

  it("are sent again in their order after a failure, until they are answered", async () => {
    const { clock, valkey, call, settle } = await grouped({ waitTimeoutMs: 0 });
    let failures = 3;
    valkey.beforeGroup = () => {
      if (failures-- > 0) throw new Error("timed out");
    };
    const results = Promise.all(["a", "b"].map((name) => call(name)));
    for (let i = 0; i < 10; i++) {
      await settle();
      clock.advance(100);
    }
    expect((await results).map(({ triedBefore }) => triedBefore)).toEqual([true, true]);
    expect(valkey.groups.every((group) => group.join() === "a,b")).toBe(true);
  });

  it("that were certainly not carried out are refused when their time has passed", async () => {
    const { clock, valkey, call, settle } = await grouped({ waitTimeoutMs: 0 });
    const passing = new Error("An error was signalled by the server: - TryAgain: Multiple keys request");
    valkey.fail("a", ...new Array<Error>(100).fill(passing));
    const [stuck, fine] = [call("a"), call("b")];
    const refused = expect(stuck).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    for (let i = 0; i < 30; i++) {
      await settle();
      clock.advance(100);
    }
    expect(await fine).toMatchObject({ triedBefore: false });
    await refused;
  });

  it("are not sent any more when their time has passed before their turn came", async () => {
    const { clock, valkey, calls, settle } = await grouped({ waitTimeoutMs: 0 });
    valkey.beforeGroup = () => new Promise((_, reject) => clock.setTimer(100, () => reject(new Error("timed out"))));
    // Several groups, which would take as many time-outs.
    const outcomes = Array.from({ length: 1_000 }, (_, i) =>
      calls.call(`app/g:${i}`, ["FCALL", `${i}`, "1", "key"], 10).then(
        () => "unknown",
        (reason: { code: ErrorCode }) => ErrorCode[reason.code],
      ),
    );
    for (let ms = 0; ms < 2_700; ms += 50) {
      clock.advance(50);
      await settle();
    }
    const sent = new Set(valkey.groups.flat());
    expect(await Promise.all(outcomes)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => (sent.has(`${i}`) ? "unknown" : "UNAVAILABLE")),
    );
    expect(sent.size).toBeLessThan(1_000);
  });

  it("that may have been carried out are unknown when their time has passed", async () => {
    const { clock, valkey, call, settle } = await grouped({ waitTimeoutMs: 0 });
    valkey.beforeGroup = () => {
      throw new Error("Broken pipe");
    };
    const result = call("a");
    for (let i = 0; i < 30; i++) {
      await settle();
      clock.advance(100);
    }
    expect(await result).toMatchObject({ reply: undefined, acknowledged: undefined, triedBefore: true });
  });

  it("that Valkey refuses for good fail at once, and no other with them", async () => {
    const { valkey, call, settle } = await grouped({ waitTimeoutMs: 0 });
    valkey.fail("a", new Error("An error was signalled by the server: - ResponseError: WRONGTYPE"));
    const refused = expect(call("a")).rejects.toMatchObject({ code: ErrorCode.INTERNAL });
    const fine = call("b");
    await settle();
    await refused;
    expect(await fine).toMatchObject({ acknowledged: "primary" });
  });

  it("are refused when too many wait", async () => {
    const { valkey, calls, call, settle } = await grouped({ waitTimeoutMs: 0 });
    const gate = Promise.withResolvers<void>();
    valkey.beforeGroup = () => gate.promise;
    const waiting = Array.from({ length: 20_000 }, () => call("a"));
    await expect(call("a")).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    gate.resolve();
    for (let i = 0; i < 10; i++) await settle();
    await Promise.all(waiting);
    const heavy = Array.from({ length: 4 }, () => call("a", 8 * 1024 * 1024));
    await expect(call("a")).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    await settle();
    await Promise.all(heavy);
    calls.close();
    await expect(call("a")).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
  });

  it("are not sent again, nor for the first time, once all are given up; those that come after are", async () => {
    const { clock, valkey, calls, call, settle } = await grouped({ waitTimeoutMs: 0 });
    const held = Promise.withResolvers<void>();
    valkey.beforeGroup = () => held.promise;
    const first = call("first");
    await settle();
    const second = call("second");
    calls.giveUpAll();
    await expect(second).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    valkey.beforeGroup = () => {};
    held.reject(new Error("timed out"));
    const later = call("later");
    await settle();
    clock.advance(50);
    await settle();
    expect(await first).toMatchObject({ reply: undefined });
    expect((await later).triedBefore).toBe(false);
    expect(valkey.groups).toEqual([["first"], ["later"]]);
  });

  describe("when another primary has taken over", () => {
    const viewOf = (primary: string, epoch: number) =>
      parseClusterNodes(`${primary} h:1@2 myself,master - 0 0 ${epoch} connected 0-16383`);

    async function replaced(isLateHarmless: boolean) {
      const slots = new SlotMap();
      slots.learn(viewOf("old", 1));
      const world = await grouped({ waitTimeoutMs: 0, cluster: true, slots });
      const { valkey, calls, settle } = world;
      const held = Promise.withResolvers<void>();
      let isDead = true;
      valkey.beforeGroup = () => (isDead ? held.promise : undefined);
      const call = (name: string) => calls.call("app/g:chat", ["FCALL", name, "1", "key"], 10, isLateHarmless);
      const results = [call("a")];
      await settle();
      slots.learn(viewOf("new", 2));
      isDead = false;
      results.push(call("b"));
      await settle();
      expect(valkey.groups).toEqual([["a"]]); // b does not overtake a
      calls.topologyChanged();
      return { ...world, results, held };
    }

    it("wait no longer for the former one, and keep their order", async () => {
      const { clock, valkey, settle, results } = await replaced(true);
      await settle();
      clock.advance(20);
      await settle();
      expect(valkey.groups.slice(1)).toEqual([["a", "b"]]);
      expect((await Promise.all(results)).map(({ triedBefore }) => triedBefore)).toEqual([true, false]);
    });

    it("do not overtake an earlier one that has waited there behind others", async () => {
      const slots = new SlotMap();
      slots.learn(viewOf("old", 1));
      const { valkey, calls, settle } = await grouped({ waitTimeoutMs: 0, cluster: true, slots });
      const held = Promise.withResolvers<void>();
      valkey.beforeGroup = () => held.promise;
      const call = (tag: string, name: string) => calls.call(tag, ["FCALL", name, "1", "key"], 10);
      const results = [call("other", "other")];
      await settle();
      results.push(call("channel", "first"));
      slots.learn(viewOf("new", 2));
      calls.topologyChanged();
      valkey.beforeGroup = () => {};
      results.push(call("channel", "second"));
      await settle();
      held.resolve();
      await settle();
      await Promise.all(results);
      expect(valkey.groups).toEqual([["other"], ["first", "second"]]);
    });

    it("wait for it all the same where it does harm when they are carried out late", async () => {
      const { clock, valkey, settle, results, held } = await replaced(false);
      clock.advance(50);
      await settle();
      expect(valkey.groups).toEqual([["a"]]);
      held.resolve();
      await settle();
      expect(valkey.groups).toEqual([["a"], ["b"]]);
      expect((await Promise.all(results)).map(({ triedBefore }) => triedBefore)).toEqual([false, false]);
    });
  });
});
