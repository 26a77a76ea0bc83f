import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { FanfareError } from "../fanfare-error.ts";
import { newChannel } from "../testing/log-under-test.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { CoalescedCursors } from "./coalesced-cursors.ts";
import type { CursorStore } from "./cursor-store.ts";
import type { LogPosition } from "./log-position.ts";
import { MemoryCursorStore } from "./memory/memory-cursor-store.ts";

const at = (offset: number): LogPosition => ({ epoch: 1, offset, tag: offset });

function coalesced(options = {}) {
  const clock = new VirtualClock();
  const memory = new MemoryCursorStore(clock);
  const writes: number[] = [];
  const store: CursorStore = {
    get: (channel, playerId) => memory.get(channel, playerId),
    commit(channel, playerId, position) {
      writes.push(position.offset);
      return memory.commit(channel, playerId, position);
    },
    erasePlayer: (appId, playerId) => memory.erasePlayer(appId, playerId),
  };
  return { clock, store, memory, writes, cursors: new CoalescedCursors(store, clock, options) };
}

describe("coalesced cursors", () => {
  it("write the first commit at once, and the newest of the others once a second", async () => {
    const { clock, writes, cursors } = coalesced();
    const channel = newChannel();
    expect(await cursors.commit(channel, "ann", at(1))).toEqual(at(1));
    const waiting = [5, 9, 7].map((offset) => cursors.commit(channel, "ann", at(offset)));
    clock.advance(999);
    expect(writes).toEqual([1]);
    clock.advance(1);
    expect(await Promise.all(waiting)).toEqual([at(9), at(9), at(9)]);
    const next = cursors.commit(channel, "ann", at(10));
    clock.advance(999);
    expect(writes).toEqual([1, 9]);
    clock.advance(1);
    expect(await next).toEqual(at(10));
    expect(writes).toEqual([1, 9, 10]);
  });

  it("write at once again after a second of rest, and hold no timer then", async () => {
    const { clock, writes, cursors } = coalesced();
    const channel = newChannel();
    await cursors.commit(channel, "ann", at(1));
    clock.advance(1000);
    expect(clock.pendingTimers).toBe(0);
    await cursors.commit(channel, "ann", at(2));
    expect(writes).toEqual([1, 2]);
  });

  it("write for each player and channel by itself", async () => {
    const { writes, cursors } = coalesced();
    const [one, other] = [newChannel(), newChannel()];
    await Promise.all([
      cursors.commit(one, "ann", at(1)),
      cursors.commit(one, "bob", at(2)),
      cursors.commit(other, "ann", at(3)),
    ]);
    expect(writes).toEqual([1, 2, 3]);
  });

  it("answer with what waits to be written", async () => {
    const { cursors } = coalesced();
    const channel = newChannel();
    await cursors.commit(channel, "ann", at(1));
    void cursors.commit(channel, "ann", at(4));
    expect(await cursors.get(channel, "ann")).toEqual(at(4));
    expect(await cursors.get(channel, "bob")).toBeUndefined();
  });

  it("write what waits when they are closed", async () => {
    const { clock, memory, cursors } = coalesced();
    const channel = newChannel();
    await cursors.commit(channel, "ann", at(1));
    const waiting = cursors.commit(channel, "ann", at(4));
    await cursors[Symbol.asyncDispose]();
    expect(await waiting).toEqual(at(4));
    expect(await memory.get(channel, "ann")).toEqual(at(4));
    expect(clock.pendingTimers).toBe(0);
  });

  it("tell every waiting commit that the write failed", async () => {
    const { clock, store, cursors } = coalesced();
    const channel = newChannel();
    await cursors.commit(channel, "ann", at(1));
    store.commit = () => Promise.reject(new FanfareError(ErrorCode.UNAVAILABLE, "no store"));
    const failed = Promise.allSettled([cursors.commit(channel, "ann", at(2)), cursors.commit(channel, "ann", at(3))]);
    clock.advance(1000);
    expect((await failed).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("write through what they have no place to remember", async () => {
    const { writes, cursors, clock } = coalesced({ maxEntries: 1 });
    const [one, other] = [newChannel(), newChannel()];
    await cursors.commit(one, "ann", at(1));
    for (const offset of [2, 3]) await cursors.commit(other, "ann", at(offset));
    expect(writes).toEqual([1, 2, 3]);
    expect(clock.pendingTimers).toBe(1);
  });

  it("write nothing for a player that was erased meanwhile", async () => {
    const { clock, memory, cursors } = coalesced();
    const channel = newChannel();
    await cursors.commit(channel, "ann", at(1));
    void cursors.commit(channel, "ann", at(2));
    await cursors.erasePlayer(channel.appId, "ann");
    clock.advance(5000);
    expect(await memory.get(channel, "ann")).toBeUndefined();
  });
});
