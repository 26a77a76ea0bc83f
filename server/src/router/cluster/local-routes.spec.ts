import { beforeEach, describe, expect, it } from "vitest";
import type { AppChannel, RouteStore } from "../../broker/route-store.ts";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { LocalRoutes } from "./local-routes.ts";

const self = 7n;
const channel: AppChannel = { appId: "a", key: "g:x" };
const other: AppChannel = { appId: "a", key: "g:y" };

/** Routes that a test answers for, call by call. */
class ScriptedStore implements RouteStore {
  readonly calls: { verb: "add" | "remove"; key: string; sequence: number; settle: PromiseWithResolvers<boolean> }[] =
    [];
  isAutomatic = true;
  /** Refuses removals. */
  isDown = false;
  /** What removals of a channel wait for. */
  readonly awaited = new Map<string, Promise<void>>();
  readonly entries = new Map<string, number>();
  unsettled: ((isAffected: (channel: AppChannel) => boolean) => void) | undefined;

  add({ key }: AppChannel, _incarnation: bigint, sequence: number): Promise<boolean> {
    const settle = Promise.withResolvers<boolean>();
    this.calls.push({ verb: "add", key, sequence, settle });
    if (this.isAutomatic) {
      settle.resolve(this.entries.has(key));
      this.entries.set(key, sequence);
    }
    return settle.promise;
  }

  async remove({ key }: AppChannel, _incarnation: bigint, sequence: number): Promise<void> {
    if (this.isDown) throw new Error("down");
    if (this.awaited.has(key)) await this.awaited.get(key);
    this.calls.push({ verb: "remove", key, sequence, settle: Promise.withResolvers() });
    if ((this.entries.get(key) ?? Number.POSITIVE_INFINITY) <= sequence) this.entries.delete(key);
  }

  read(): Promise<readonly bigint[]> {
    throw new Error("nobody reads");
  }

  sweep(): Promise<number> {
    throw new Error("nobody sweeps");
  }

  onUnsettled(listener: (isAffected: (channel: AppChannel) => boolean) => void): () => void {
    this.unsettled = listener;
    return () => {
      this.unsettled = undefined;
    };
  }

  get verbs(): string[] {
    return this.calls.map(({ verb, key }) => `${verb} ${key}`);
  }
}

/** Lets what is under way come to an end, as far as it waits for nothing. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

describe("LocalRoutes", () => {
  let clock: VirtualClock;
  let store: ScriptedStore;
  let routes: LocalRoutes;
  let lost: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    store = new ScriptedStore();
    lost = [];
    const onLost = ({ key }: AppChannel) => void lost.push(key);
    routes = new LocalRoutes({ store, incarnation: self, clock, log: silentLog, onLost });
  });

  it("lets the first holder wait for the store, and nobody after it", async () => {
    const first = routes.hold(channel);
    const second = routes.hold(channel);
    expect(first).toBeInstanceOf(Promise);
    expect(second).toBe(first);
    await first;
    expect(routes.hold(channel)).toBeUndefined();
    expect(store.verbs).toEqual(["add g:x"]);
  });

  it("stays for a moment after the last has left, so that who comes back costs nothing", async () => {
    await routes.hold(channel);
    routes.release(channel);
    clock.advance(999);
    expect(routes.hold(channel)).toBeUndefined();
    routes.release(channel);
    clock.advance(2_000);
    await Promise.resolve();
    await Promise.resolve();
    expect(store.verbs).toEqual(["add g:x", "remove g:x"]);
    expect(routes.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives each change a higher sequence, so that a late one undoes nothing", async () => {
    await routes.hold(channel);
    routes.release(channel);
    clock.advance(2_000);
    await Promise.resolve();
    await Promise.resolve();
    await routes.hold(channel);
    const sequences = store.calls.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(new Set(sequences).size).toBe(3);
    expect(store.entries.has("g:x")).toBe(true);
  });

  it("tells who waits when the store fails, and tries again as long as somebody holds it", async () => {
    store.isAutomatic = false;
    const waiting = routes.hold(channel);
    store.calls[0]?.settle.reject(new Error("out of reach"));
    await expect(waiting).rejects.toThrow("out of reach");
    store.isAutomatic = true;
    clock.advance(1_000);
    await Promise.resolve();
    expect(store.verbs).toEqual(["add g:x", "add g:x"]);
    await Promise.resolve();
    expect(routes.hold(channel)).toBeUndefined();
  });

  it("asserts what may have been lost, and says of which routes it was", async () => {
    await routes.hold(channel);
    await routes.hold(other);
    store.entries.delete("g:y");
    await routes.reassert(() => true);
    expect(lost).toEqual(["g:y"]);
    expect(store.entries.size).toBe(2);
    await routes.reassert(({ key }) => key === "g:x");
    expect(store.verbs).toEqual(["add g:x", "add g:y", "add g:x", "add g:y", "add g:x"]);
  });

  it("asserts those of one shard while another does not answer", async () => {
    await routes.hold(channel);
    await routes.hold(other);
    store.isAutomatic = false;
    const stuck = routes.reassert(({ key }) => key === "g:x");
    store.isAutomatic = true;
    store.entries.delete("g:y");
    await routes.reassert(({ key }) => key === "g:y");
    expect(store.entries.has("g:y")).toBe(true);
    store.calls.find(({ verb, settle }, i) => verb === "add" && i > 1 && settle)?.settle.resolve(true);
    await stuck;
    expect(lost).toEqual(["g:y"]);
  });

  it("says that a route was lost also when only a later assertion succeeds", async () => {
    await routes.hold(channel);
    store.isAutomatic = false;
    const reasserted = routes.reassert(() => true);
    await Promise.resolve();
    await Promise.resolve();
    store.calls.at(-1)?.settle.reject(new Error("out of reach"));
    await reasserted;
    expect(lost).toEqual([]);
    store.entries.clear();
    store.isAutomatic = true;
    clock.advance(1_000);
    await Promise.resolve();
    await Promise.resolve();
    expect(lost).toEqual(["g:x"]);
  });

  it("removes a leftover when a message comes that nobody here wants, and not while it is held", async () => {
    store.entries.set("g:x", 0);
    routes.heal(channel);
    routes.heal(channel);
    await Promise.resolve();
    expect(store.verbs).toEqual(["remove g:x"]);
    expect(store.entries.size).toBe(0);
    await routes.hold(other);
    routes.heal(other);
    expect(store.verbs).toEqual(["remove g:x", "add g:y"]);
  });

  it("removes again what a failover may have brought back, and not what is held again or was removed long ago", async () => {
    for (const one of [channel, other]) {
      await routes.hold(one);
      routes.release(one);
    }
    await clock.advance(2_500);
    await routes.hold(other);
    store.calls.length = 0;
    store.entries.set("g:x", 1);
    await routes.reassert(({ key }) => key === "g:x");
    expect(store.verbs).toEqual(["remove g:x"]);
    expect(store.entries.has("g:x")).toBe(false);
    await clock.advance(60_001);
    await routes.reassert(({ key }) => key === "g:x");
    expect(store.verbs).toEqual(["remove g:x"]);
  });

  it("removes again when it closes what it has removed a moment ago", async () => {
    await routes.hold(channel);
    routes.release(channel);
    await clock.advance(2_500);
    store.entries.set("g:x", 1); // the replica that took over had not heard of it
    expect(await routes.close()).toBe(true);
    expect(store.entries.has("g:x")).toBe(false);
  });

  it("removes again what a failover brings back while it closes, until it has closed", async () => {
    await routes.hold(channel);
    await routes.hold(other);
    const slow = Promise.withResolvers<void>();
    store.awaited.set(other.key, slow.promise);
    const closed = routes.close();
    await turns();
    expect([...store.entries.keys()]).toEqual(["g:y"]);
    store.entries.set("g:x", 1); // the primary that was cut off had confirmed it alone
    store.unsettled?.(({ key }) => key === "g:x");
    slow.resolve();
    expect(await closed).toBe(true);
    expect(store.entries.size).toBe(0);
  });

  it("does so too when it has left, and says if that fails", async () => {
    await routes.hold(channel);
    await routes.leave();
    store.isDown = true;
    store.unsettled?.(() => true);
    expect(await routes.close()).toBe(false);
    expect(store.unsettled).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  it("is put on no route once it is closed", async () => {
    await routes.close();
    await expect(routes.hold(channel)).rejects.toThrow("going away");
    expect(store.verbs).toEqual([]);
  });

  it("says when it closes whether something of it may be left", async () => {
    await routes.hold(channel);
    store.isDown = true;
    expect(await routes.close()).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("says so too of a route that could not be removed earlier", async () => {
    await routes.hold(channel);
    routes.release(channel);
    store.isDown = true;
    clock.advance(5_000);
    for (let i = 0; i < 5; i++) await Promise.resolve();
    expect(await routes.close()).toBe(false);
  });

  it("removes when it closes also what is still being added, and nobody holds", async () => {
    store.isAutomatic = false;
    void routes.hold(channel);
    routes.release(channel);
    await clock.advance(2_500);
    const isClear = await routes.close();
    expect([isClear, store.verbs]).toEqual([true, ["add g:x", "remove g:x"]]);
  });

  it("tries again to remove what it could not remove, until it can", async () => {
    await routes.hold(channel);
    routes.release(channel);
    store.isDown = true;
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
    expect(store.entries.has("g:x")).toBe(true);
    store.isDown = false;
    await clock.advance(1_000);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect(store.entries.has("g:x")).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    expect(await routes.close()).toBe(true);
  });

  it("takes the node off all routes when it closes, and leaves no timer", async () => {
    await routes.hold(channel);
    await routes.hold(other);
    routes.release(other);
    expect(await routes.close()).toBe(true);
    expect(store.entries.size).toBe(0);
    expect(store.unsettled).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
