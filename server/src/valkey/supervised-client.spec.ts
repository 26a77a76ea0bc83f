import { describe, expect, it } from "vitest";
import { createLog, silentLog } from "../observe/log.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { SupervisedClient } from "./supervised-client.ts";
import { DemotedPrimary, whoAnswers } from "./testing/demoted-primary.ts";
import type { ValkeyClient } from "./valkey-client.ts";

class FakeClient implements ValkeyClient {
  isClosed = false;
  failure: Error | undefined;
  readonly wedgedPlaces = new Set<string>();

  async send(): Promise<string> {
    if (this.failure !== undefined) throw this.failure;
    return "OK";
  }

  async pipeline(_commands: unknown, slotOf: string): Promise<string[]> {
    if (this.wedgedPlaces.has(slotOf)) throw new Error("timed out");
    return ["OK"];
  }

  close(): void {
    this.isClosed = true;
  }
}

async function supervised() {
  const clock = new VirtualClock();
  const made: FakeClient[] = [];
  let refusal: Error | undefined;
  const connect = async () => {
    if (refusal !== undefined) throw refusal;
    made.push(new FakeClient());
    return made.at(-1) as FakeClient;
  };
  const client = await SupervisedClient.connect({ connect, clock, log: silentLog, name: "test" });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const attempt = async (place: string) => {
    await client.pipeline([], place, 100, place).catch(() => {});
    await settle();
  };
  return { clock, made, client, attempt, refuse: (reason: Error | undefined) => (refusal = reason) };
}

describe("supervised client", () => {
  it("is replaced when a place has given nothing but failures for a second", async () => {
    const { clock, made, client, attempt } = await supervised();
    const [first] = made as [FakeClient];
    first.wedgedPlaces.add("shard");
    await attempt("shard");
    clock.advance(999);
    await attempt("shard");
    expect(made).toHaveLength(1);
    clock.advance(1);
    await attempt("shard");
    expect(made).toHaveLength(2);
    expect(await client.pipeline([], "shard", 100, "shard")).toEqual(["OK"]);
    expect(client.counts).toEqual({ replaced: 1, replacementsFailed: 0, rerouted: 0 });
    expect(first.isClosed).toBe(false); // others may have something under way on it
    clock.advance(5000);
    expect(first.isClosed).toBe(true);
  });

  it("is replaced although other places answer", async () => {
    const { clock, made, attempt } = await supervised();
    (made[0] as FakeClient).wedgedPlaces.add("dead");
    for (let i = 0; i < 11; i++) {
      await attempt("dead");
      await attempt("live");
      clock.advance(100);
    }
    expect(made).toHaveLength(2);
  });

  it("is left alone when the place recovers, and for errors that the server answers", async () => {
    const { clock, made, client, attempt } = await supervised();
    const [first] = made as [FakeClient];
    first.wedgedPlaces.add("shard");
    await attempt("shard");
    clock.advance(900);
    first.wedgedPlaces.clear();
    await attempt("shard");
    first.wedgedPlaces.add("shard");
    clock.advance(900);
    await attempt("shard");
    first.failure = new Error("OOM: command not allowed when used memory > 'maxmemory'.");
    for (let i = 0; i < 5; i++) {
      clock.advance(1000);
      await expect(client.send([])).rejects.toThrow("OOM");
    }
    expect(made).toHaveLength(1);
  });

  it("tries again once a second while nobody answers", async () => {
    const { clock, made, client, attempt, refuse } = await supervised();
    (made[0] as FakeClient).wedgedPlaces.add("shard");
    refuse(new Error("Connection refused"));
    await attempt("shard");
    clock.advance(1000);
    for (let i = 0; i < 5; i++) {
      await attempt("shard");
      clock.advance(100);
    }
    refuse(undefined);
    await attempt("shard");
    expect(made).toHaveLength(1);
    expect(client.counts).toMatchObject({ replaced: 0, replacementsFailed: 1 });
    clock.advance(600);
    await attempt("shard");
    expect(made).toHaveLength(2);
  });

  it("is replaced at once when the topology has changed, if a place fails", async () => {
    const { made, client, attempt } = await supervised();
    client.topologyChanged();
    await attempt("shard");
    expect(made).toHaveLength(1);
    (made[0] as FakeClient).wedgedPlaces.add("shard");
    await attempt("shard");
    client.topologyChanged();
    await attempt("other");
    expect(made).toHaveLength(2);
  });

  it("is replaced too when what was sent to the former primary is given up, and says until when", async () => {
    const { made, client } = await supervised();
    expect(client.replacement).toBeUndefined();
    client.gaveUp("shard");
    client.topologyChanged();
    await client.replacement;
    expect([made.length, client.counts.replaced, client.replacement]).toEqual([2, 1, undefined]);
  });

  it("is replaced again soon after a change of the topology, where the fresh one fails too", async () => {
    const { clock, made, client, attempt } = await supervised();
    (made[0] as FakeClient).wedgedPlaces.add("shard");
    await attempt("shard");
    client.topologyChanged();
    await client.replacement;
    (made[1] as FakeClient).wedgedPlaces.add("shard");
    await attempt("shard");
    expect(made).toHaveLength(2);
    clock.advance(300);
    await attempt("shard");
    expect(made).toHaveLength(3);
    (made[2] as FakeClient).wedgedPlaces.add("shard");
    clock.advance(2700);
    await attempt("shard");
    expect(made).toHaveLength(3);
  });

  it("is replaced when it goes on to write to a replica", async () => {
    const { clock, made, client } = await supervised();
    (made[0] as FakeClient).failure = new Error(
      "An error was signalled by the server: - ReadOnly: a read only replica.",
    );
    for (let i = 0; i < 3; i++) {
      await expect(client.send([])).rejects.toThrow("ReadOnly");
      clock.advance(600);
    }
    expect(made).toHaveLength(2);
  });

  describe("after a planned failover", () => {
    async function afterFailover() {
      const shard = new DemotedPrimary();
      const connect = async () => shard;
      const shared = { clock: new VirtualClock(), log: silentLog, name: "test" };
      return { shard, client: await SupervisedClient.connect({ ...shared, connect, whoAnswers }) };
    }

    it("shows the primary to a client that goes on to the former one, and says that it had to", async () => {
      const { shard, client } = await afterFailover();
      expect(await client.reroute("{a}", 100, "shard")).toBe(true);
      expect(shard.goesTo).toBe("primary");
      expect(await client.reroute("{a}", 100, "shard")).toBe(false);
      expect(client.counts.rerouted).toBe(1);
    });

    it("does so by itself where an answer shows it", async () => {
      const { shard, client } = await afterFailover();
      await client.pipeline([whoAnswers.anywhere], "{a}", 100, "shard");
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(shard.goesTo).toBe("primary");
      await client.pipeline([whoAnswers.anywhere], "{a}", 100, "shard");
      expect(shard.batches).toEqual(["former: FCALL 0", "former: FCALL 0, FCALL 1", "primary: FCALL 0"]);
      expect(client.isFailing("shard")).toBe(false);
    });

    it("asks once for all who ask at the same time, and knows nothing while the primary does not answer", async () => {
      const { shard, client } = await afterFailover();
      shard.isDead = true;
      const asked = [client.reroute("{a}", 100, "shard"), client.reroute("{b}", 100, "shard")];
      expect(await Promise.all(asked)).toEqual([false, false]);
      expect(shard.batches).toHaveLength(1);
    });
  });

  it("tells in the log what Valkey refuses, alone and in a batch", async () => {
    const lines: unknown[] = [];
    const log = createLog({ level: "warn", sink: ({ fields }) => lines.push(fields.reason), nowMs: () => 0 });
    const connect = async (): Promise<ValkeyClient> => ({
      send: () => Promise.reject(new Error("OOM: command not allowed")),
      pipeline: async () => ["OK", new Error("MISCONF: errors writing to the AOF file")],
      close: () => {},
    });
    const client = await SupervisedClient.connect({ connect, clock: new VirtualClock(), log, name: "test" });
    await expect(client.send(["SET"])).rejects.toThrow("OOM");
    await client.pipeline([["GET"], ["SET"]], "shard", 100);
    expect(lines).toEqual(["OOM: command not allowed", "MISCONF: errors writing to the AOF file"]);
  });

  it("closes what it made", async () => {
    const { made, client } = await supervised();
    client.close();
    expect(made[0]?.isClosed).toBe(true);
  });
});
