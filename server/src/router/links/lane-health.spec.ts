import { describe, expect, it } from "vitest";
import { LinkCounters } from "../../observe/link-counters.ts";
import { createLog, type LogEntry } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { LaneHealth } from "./lane-health.ts";

function setUp({ shards = 3, receivers = async () => 0 as number } = {}) {
  const clock = new VirtualClock();
  const logged: LogEntry[] = [];
  const sickened: number[] = [];
  const probes: { lane: number; atMs: number }[] = [];
  const counters = new LinkCounters();
  const state = { receivers };
  const health = new LaneHealth({
    lanes: {
      count: 9,
      shardOf: (lane) => (shards === 0 ? "" : `${lane % shards}`),
      publish: async () => 1,
      listen: async () => {},
    },
    clock,
    random: () => 0.5,
    log: createLog({ level: "debug", sink: (entry) => logged.push(entry), nowMs: () => clock.monotonicMs() }),
    counters,
    publishTimeoutMs: 150,
    probe: (lane) => {
      probes.push({ lane, atMs: clock.monotonicMs() });
      return state.receivers();
    },
    onSick: (lane) => sickened.push(lane),
  });
  const sick = () => Array.from({ length: 9 }, (_, lane) => lane).filter((lane) => health.isSick(lane));
  return { clock, health, sick, sickened, probes, counters, logged, state };
}

describe("LaneHealth", () => {
  it("has a lane sick when a publish is rejected or times out", () => {
    const { health, sick, sickened, counters, logged } = setUp();
    health.failed(1, "rejected", 7n, 0);
    health.failed(2, "timed_out", 7n, 0);
    expect(sick()).toEqual([1, 2]);
    expect(sickened).toEqual([1, 2]);
    expect(counters.sickLanes).toBe(2);
    expect(logged.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "warn lane is sick",
      "warn lane is sick",
    ]);
  });

  it("has all lanes of a shard sick when two of them are", () => {
    const { health, sick } = setUp();
    health.failed(1, "rejected", 7n, 0);
    health.failed(4, "rejected", 7n, 0);
    expect(sick()).toEqual([1, 4, 7]);
  });

  it("concludes nothing from shards that are not known", () => {
    const { health, sick } = setUp({ shards: 0 });
    health.failed(1, "rejected", 7n, 0);
    health.failed(4, "rejected", 7n, 0);
    expect(sick()).toEqual([1, 4]);
  });

  it("blames a lane on which nobody was heard only if it was two peers, within a second", () => {
    const { health, sick } = setUp();
    health.failed(1, "unheard", 7n, 0);
    health.failed(1, "unheard", 7n, 10);
    health.failed(1, "unheard", 8n, 2_000);
    expect(sick()).toEqual([]);
    health.worked(1);
    health.failed(1, "unheard", 7n, 2_100);
    expect(sick()).toEqual([]);
    health.failed(1, "unheard", 8n, 2_200);
    expect(sick()).toEqual([1]);
  });

  it("asks a sick lane, ever more seldom, until it is well", async () => {
    const { clock, health, sick, probes, state, counters, logged } = setUp();
    health.failed(1, "rejected", 7n, 0);
    const advance = async (ms: number) => {
      for (let i = 0; i < ms; i += 50) {
        clock.advance(50);
        await Promise.resolve();
        await Promise.resolve();
      }
    };
    await advance(10_000);
    const gaps = probes.map(({ atMs }, index) => atMs - (probes[index - 1]?.atMs ?? 0));
    expect(gaps).toEqual([200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
    expect(sick()).toEqual([1]);
    state.receivers = () => Promise.reject(new Error("still dead"));
    await advance(2_500);
    expect(sick()).toEqual([1]);
    state.receivers = async () => 1;
    await advance(2_500);
    expect(sick()).toEqual([]);
    expect(counters.sickLanes).toBe(0);
    expect(logged.at(-1)?.message).toBe("lane is well again");
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not take a late answer for a good one", async () => {
    const { clock, health, sick, state } = setUp();
    let answer = (_: number) => {};
    state.receivers = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    health.failed(1, "rejected", 7n, 0);
    clock.advance(200);
    clock.advance(200);
    answer(1);
    await Promise.resolve();
    await Promise.resolve();
    expect(sick()).toEqual([1]);
  });

  it("is well at once when a publish over it worked, and leaves no timer when closed", () => {
    const { clock, health, sick, counters } = setUp();
    health.failed(1, "rejected", 7n, 0);
    health.worked(1);
    expect(sick()).toEqual([]);
    health.failed(2, "rejected", 7n, 0);
    health.close();
    health.failed(3, "rejected", 7n, 0);
    expect([clock.pendingTimers, counters.sickLanes]).toEqual([0, 0]);
  });
});
