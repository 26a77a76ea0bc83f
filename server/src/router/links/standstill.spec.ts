import { describe, expect, it } from "vitest";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { LinkOutcome } from "./link-port.ts";
import { Links } from "./links.ts";

/** Two nodes on one clock; what is published waits until the test passes it on. */
function setUp() {
  const clock = new VirtualClock();
  const inboxes = new Map<bigint, (bytes: Uint8Array, lane: number) => void>();
  const waiting: (() => void)[] = [];
  const outcomes: LinkOutcome[] = [];
  const lanes = {
    count: 6,
    shardOf: (lane: number) => `${lane % 3}`,
    publish: (lane: number, to: bigint, bytes: Uint8Array) =>
      new Promise<number>((resolve) => {
        waiting.push(() => {
          resolve(1);
          inboxes.get(to)?.(bytes, lane);
        });
      }),
    listen: async (own: bigint, onBytes: (bytes: Uint8Array, lane: number) => void) => {
      inboxes.set(own, onBytes);
    },
  };
  const receiver = { onRecords: () => {}, onLoss: () => {} };
  const [a, b] = [1n, 2n].map((self) => {
    const links = new Links({ self, lanes, receiver, clock, log: silentLog, random: () => 0.5 });
    void links.listen();
    return links;
  }) as [Links, Links];
  a.addPeer(2n);
  /** Everything that was published arrives. */
  const passOn = async () => {
    for (const one of waiting.splice(0)) one();
    for (let i = 0; i < 4; i++) await Promise.resolve();
  };
  const send = () => a.send(2n, { class: "control", bytes: new Uint8Array([1]) }, (outcome) => outcomes.push(outcome));
  return { clock, a, b, send, passOn, outcomes };
}

describe("a process that stands still and whose timers come before what has arrived", () => {
  it("blames no lane and sends nothing again", async () => {
    const { clock, a, send, passOn, outcomes } = setUp();
    send();
    clock.turn();
    await passOn();
    clock.advance(2);
    clock.stall(5_000);
    clock.runTimers();
    await passOn();
    clock.advance(50);
    expect(outcomes).toEqual(["delivered"]);
    const { laneMoves, batchesRepeated, publishesTimedOut, retransmitTimeouts, sickLanes } = a.counters;
    expect({ laneMoves, batchesRepeated, publishesTimedOut, retransmitTimeouts, sickLanes }).toEqual({
      laneMoves: 0,
      batchesRepeated: 0,
      publishesTimedOut: 0,
      retransmitTimeouts: 0,
      sickLanes: 0,
    });
  });

  it("finds out afterwards what is really missing", async () => {
    const { clock, a, send, passOn, outcomes } = setUp();
    send();
    clock.turn();
    clock.stall(5_000);
    clock.runTimers();
    clock.advance(50);
    expect(a.counters.publishesTimedOut).toBe(1);
    expect(a.counters.laneMoves).toBe(1);
    await passOn();
    clock.advance(10);
    await passOn();
    clock.advance(10);
    expect(outcomes).toEqual(["unknown"]);
  });
});
