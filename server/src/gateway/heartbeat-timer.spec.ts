import { create } from "@bufbuild/protobuf";
import { PongSchema } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { HeartbeatTimer } from "./heartbeat-timer.ts";
import type { SendQueue } from "./send-queue.ts";

const intervalMs = 1_000;
const timeoutMs = 400;

let clock: VirtualClock;
let pings: { id: number; atMs: number; sentAtUs: bigint }[];
let ended: string[];
let timer: HeartbeatTimer;
const queue = { lastWriteMs: 0, blockedSinceMs: undefined as number | undefined };

beforeEach(() => {
  clock = new VirtualClock();
  pings = [];
  ended = [];
  queue.lastWriteMs = 0;
  queue.blockedSinceMs = undefined;
  const stalledMs = (nowMs: number) => (queue.blockedSinceMs === undefined ? 0 : nowMs - queue.blockedSinceMs);
  timer = new HeartbeatTimer({
    clock,
    intervalMs,
    timeoutMs,
    maxStallMs: 5_000,
    queue: {
      get lastWriteMs() {
        return queue.lastWriteMs;
      },
      stalledMs,
    } as unknown as SendQueue,
    ping: ({ id, kind }) => {
      if (kind?.case !== "ping") throw new Error("no ping");
      pings.push({ id: id ?? 0, atMs: clock.monotonicMs(), sentAtUs: kind.value.sentAtUs ?? 0n });
      queue.lastWriteMs = clock.monotonicMs();
    },
    dead: () => ended.push("dead"),
    stalled: () => ended.push("stalled"),
  });
});

function pong(id: number, pingSentAtUs: bigint, heldUs = 0n) {
  timer.pong(id, create(PongSchema, { pingSentAtUs, receivedAtUs: 5n, sentAtUs: 5n + heldUs }));
}

describe("HeartbeatTimer", () => {
  it("pings once an interval while the peer answers, each under an id of its own", () => {
    for (let i = 0; i < 5; i++) {
      clock.advance(intervalMs);
      timer.received();
    }
    expect(pings.map(({ atMs }) => atMs)).toEqual([1000, 2000, 3000, 4000, 5000]);
    expect(new Set(pings.map(({ id }) => id)).size).toBe(5);
    expect(pings.every(({ id }) => id > 0 && id <= 0xffff_ffff)).toBe(true);
    expect(ended).toEqual([]);
  });

  it("does not ping while both sides talk", () => {
    for (let i = 0; i < 50; i++) {
      clock.advance(500);
      timer.received();
      queue.lastWriteMs = clock.monotonicMs();
    }
    expect(pings).toEqual([]);
  });

  it("takes the peer for dead after interval and timeout, not before", () => {
    clock.advance(intervalMs + timeoutMs - 1);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual(["dead"]);
  });

  it("does not hold against the peer the time in which the process stood still: it pings first, and waits", () => {
    clock.stall(60_000);
    clock.runTimers();
    expect(pings).toHaveLength(1);
    clock.advance(timeoutMs - 1);
    expect(ended).toEqual([]);
    timer.received();
    clock.advance(intervalMs + timeoutMs - 1);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual(["dead"]);
  });

  it("takes a peer for dead that does not answer after the process stood still", () => {
    clock.stall(60_000);
    clock.runTimers();
    clock.advance(intervalMs + timeoutMs);
    expect(ended).toEqual(["dead"]);
  });

  it("notices a queue that makes no progress, although the peer talks", () => {
    clock.advance(100);
    queue.blockedSinceMs = 100;
    for (let i = 0; i < 49; i++) {
      clock.advance(100);
      timer.received();
    }
    expect(ended).toEqual([]);
    clock.advance(1_000);
    expect(ended).toEqual(["stalled"]);
  });

  it("measures the round trip without the time the peer held the ping", () => {
    clock.advance(intervalMs);
    const { id, sentAtUs } = pings[0]!;
    clock.advance(30);
    pong(id, sentAtUs, 10_000n);
    expect(timer.roundTripUs).toBe(20_000);
  });

  it("measures the round trip although the clock is set meanwhile", () => {
    clock.advance(intervalMs);
    const { id, sentAtUs } = pings[0]!;
    clock.set(clock.nowMs() + 60_000);
    clock.advance(20);
    pong(id, sentAtUs);
    expect(timer.roundTripUs).toBe(20_000);
  });

  it("believes no pong that is of no ping, from the future, or impossible", () => {
    clock.advance(intervalMs);
    const { id, sentAtUs } = pings[0]!;
    pong(id + 7, sentAtUs);
    expect(timer.roundTripUs).toBe(0);
    pong(id, sentAtUs + 3_000_000n);
    expect(timer.roundTripUs).toBe(0);
    timer.received();
    clock.advance(intervalMs);
    const second = pings[1]!;
    pong(second.id, second.sentAtUs, 99_000_000n);
    expect(timer.roundTripUs).toBe(1);
  });

  it("stops", () => {
    timer.stop();
    clock.advance(10 * intervalMs);
    expect([...pings, ...ended]).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
