import { Acknowledgement } from "@fanfare/proto/config/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { appendOf, newChannel, outline, page, policyWith, readOf, stored } from "../../testing/log-under-test.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { LogChannel } from "../message-log.ts";
import { MemoryCursorStore } from "./memory-cursor-store.ts";
import { MemoryMessageLog, type MemoryMessageLogOptions } from "./memory-message-log.ts";

function open(options: Partial<MemoryMessageLogOptions> = {}) {
  const clock = new VirtualClock();
  return { clock, log: new MemoryMessageLog({ clock, ...options }) };
}

const kilobyte = new Uint8Array(1024 - 256); // an entry counts for 256 bytes beside its body

describe("the bounds of the log in memory", () => {
  it("the node's bytes are taken from the channel that was appended to the longest ago, oldest first", async () => {
    const { log } = open({ maxBytes: 10 * 1024 });
    const [idle, busy] = [newChannel(), newChannel()];
    const positions = [];
    for (let seq = 1; seq <= 4; seq++)
      positions.push((await stored(log, appendOf(idle, seq, { body: kilobyte }))).position);
    for (let seq = 1; seq <= 6; seq++) await stored(log, appendOf(busy, seq, { body: kilobyte }));
    expect(log.heldBytes).toBe(10 * 1024);
    for (let seq = 7; seq <= 9; seq++) await stored(log, appendOf(busy, seq, { body: kilobyte }));
    expect(log.heldBytes).toBe(10 * 1024);
    expect(outline((await page(log, idle, { from: positions[2] })).items)).toBe("4");
    expect(await readOf(log, idle, { from: positions[1] })).toMatchObject({ verdict: "trimmed", tail: positions[2] });
    for (let seq = 10; seq <= 30; seq++) await stored(log, appendOf(busy, seq, { body: kilobyte }));
    expect(log.heldBytes).toBe(10 * 1024);
    expect(outline((await page(log, busy)).items)).toBe("21 22 23 24 25 26 27 28 29 30");
    expect(await page(log, idle, { from: positions[3] })).toMatchObject({ head: positions[3], items: [] });
  });

  it("one message that is larger than the node's bound is kept until the next", async () => {
    const { log } = open({ maxBytes: 1024 });
    const channel = newChannel();
    for (let seq = 1; seq <= 3; seq++) await stored(log, appendOf(channel, seq, { body: new Uint8Array(5000) }));
    expect(outline((await page(log, channel)).items)).toBe("3");
  });

  it("what has aged in channels that nobody uses is dropped as others are appended to, without a timer", async () => {
    const { clock, log } = open();
    const policy = policyWith({ maxAgeS: 10 });
    const idle = Array.from({ length: 50 }, () => newChannel());
    for (const channel of idle) await stored(log, appendOf(channel, 1, { policy, body: kilobyte }));
    expect(clock.pendingTimers).toBe(0);
    clock.advance(11_000);
    await stored(log, appendOf(newChannel(), 1, { policy, body: kilobyte }));
    expect(log.heldBytes).toBe(1024);
  });

  it("the channel appended to the longest ago is forgotten past the bound of channels, and begins a new epoch", async () => {
    const { log } = open({ maxChannels: 3 });
    const channels = Array.from({ length: 4 }, () => newChannel()) as [LogChannel, LogChannel, LogChannel, LogChannel];
    const [first, second] = channels;
    const { position } = await stored(log, appendOf(first, 1));
    await stored(log, appendOf(second, 1));
    await stored(log, appendOf(channels[2], 1));
    await stored(log, appendOf(first, 2));
    await stored(log, appendOf(channels[3], 1)); // second is the oldest
    expect(log.channels).toBe(3);
    expect(await page(log, first, { from: position })).toMatchObject({ head: { offset: 2 } });
    expect((await log.ends(second, policyWith())).head.offset).toBe(0);
  });

  it("deleted and cleared messages are given back", async () => {
    const { log } = open();
    const channel = newChannel();
    const { position } = await stored(log, appendOf(channel, 1, { body: kilobyte }));
    await stored(log, appendOf(channel, 2, { body: kilobyte }));
    await log.deleteMessage(channel, policyWith(), position);
    expect(log.heldBytes).toBe(1024);
    await log.clear(channel);
    expect(log.heldBytes).toBe(0);
    await stored(log, appendOf(channel, 3, { body: kilobyte }));
    await log.erase(channel);
    expect([log.heldBytes, log.channels]).toEqual([0, 0]);
  });

  it("identities are remembered for the window, or until as many others have followed", async () => {
    const window = { windowMs: 60_000, maxIdentities: 4, maxLookBack: 2 };
    const { clock, log } = open({ window });
    const channel = newChannel();
    const append = (origin: number, seq = 1) => stored(log, appendOf(channel, seq, { origin: BigInt(origin) }));
    await append(1);
    for (let origin = 2; origin <= 5; origin++) await append(origin);
    expect((await append(1)).repeated).toBe(true);
    for (let origin = 6; origin <= 9; origin++) await append(origin);
    expect((await append(1)).repeated).toBe(false);
    clock.advance(60_000);
    await append(10);
    expect((await append(9)).repeated).toBe(true);
    clock.advance(60_000);
    await append(11);
    expect((await append(9)).repeated).toBe(false);
  });

  it("looks back through so many appends of an origin, and guesses nothing beyond", async () => {
    const { log } = open({ window: { windowMs: 60_000, maxIdentities: 4, maxLookBack: 2 } });
    const channel = newChannel();
    for (let seq = 1; seq <= 6; seq++) await stored(log, appendOf(channel, seq));
    expect(await stored(log, appendOf(channel, 4))).toMatchObject({ repeated: true, position: { offset: 4 } });
    expect(await log.append(appendOf(channel, 3))).toMatchObject({ outcome: "unknown", reason: "identity forgotten" });
  });

  it("has no replica to offer", async () => {
    const { log } = open();
    const policy = { ...policyWith(), acknowledgement: Acknowledgement.REPLICA_STRICT };
    const refused = log.append(appendOf(newChannel(), 1, { policy }));
    await expect(refused).rejects.toMatchObject({ code: ErrorCode.NOT_REPLICATED });
  });

  it("cursors are kept for 180 days, and for so many players", async () => {
    const clock = new VirtualClock();
    const cursors = new MemoryCursorStore(clock, 2);
    const channel = newChannel();
    const position = { epoch: 1, offset: 1, tag: 1 };
    for (const player of ["ann", "bob", "ann", "eve"]) await cursors.commit(channel, player, position);
    expect(await cursors.get(channel, "bob")).toBeUndefined();
    expect(await cursors.get(channel, "ann")).toEqual(position);
    clock.advance(180 * 86_400_000);
    expect(await cursors.get(channel, "ann")).toBeUndefined();
  });
});
