import { describe, expect, it } from "vitest";
import { createLog, type LogEntry } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { LaneInbox, type LaneInboxOptions } from "./lane-inbox.ts";

/** A listener that hears what is published to the lanes that it stands on. */
interface FakeSubscriber {
  readonly lanes: Set<number>;
  readonly onBytes: (lane: number, bytes: Uint8Array) => void;
  isClosed: boolean;
}

/** Four lanes over two shards, `x` (0 and 1) and `y` (2 and 3). */
async function world(options: Partial<LaneInboxOptions> = {}) {
  const clock = new VirtualClock();
  const entries: LogEntry[] = [];
  const subscribers: FakeSubscriber[] = [];
  const received: string[] = [];
  const state = {
    published: 0,
    /** Lanes to which nobody can publish. */
    unreachable: new Set<number>(),
    failing: new Set<string>(),
    /** Lanes that a fresh subscriber does not get. */
    denied: new Set<number>(),
    /** Lanes whose subscriptions are at a replica: what is published arrives, and counts as received by nobody. */
    misplaced: new Set<number>(),
    refusal: undefined as Error | undefined,
    gate: Promise.resolve(),
    changes: 0,
  };
  const shardOf = (lane: number) => (lane < 2 ? "x" : "y");
  const inbox = new LaneInbox({
    lanes: 4,
    clock,
    log: createLog({ level: "info", sink: (entry) => entries.push(entry), nowMs: () => 0 }),
    subscribe: async (isWanted, onBytes) => {
      await state.gate;
      if (state.refusal !== undefined) throw state.refusal;
      const lanes = new Set([0, 1, 2, 3].filter((lane) => isWanted(lane) && !state.denied.has(lane)));
      const subscriber = { lanes, onBytes, isClosed: false };
      subscribers.push(subscriber);
      return { close: () => void Object.assign(subscriber, { isClosed: true }) };
    },
    publish: async (lane, bytes) => {
      state.published++;
      if (state.unreachable.has(lane)) throw new Error("timed out");
      const standing = subscribers.filter(({ lanes, isClosed }) => !isClosed && lanes.has(lane));
      for (const { onBytes } of standing) onBytes(lane, bytes);
      return state.misplaced.has(lane) ? 0 : standing.length;
    },
    shardOf,
    isFailing: (shard) => state.failing.has(shard),
    onBytes: (bytes, lane) => received.push(`${lane}:${bytes.join()}`),
    onChanged: () => state.changes++,
    ...options,
  });
  const settle = async () => {
    for (let i = 0; i < 10; i++) {
      clock.advance(0);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10) {
      clock.advance(Math.min(10, left));
      await settle();
    }
  };
  const up = () => inbox.lanes.flatMap(({ isUp }, lane) => (isUp ? [lane] : []));
  const opened = inbox.open();
  opened.catch(() => {});
  await pass(50);
  const lines = () => entries.splice(0).map(({ message, fields }) => [message, ...Object.values(fields)].join(" "));
  return { clock, inbox, subscribers, received, state, pass, up, opened, lines };
}

describe("the inbox of lanes", () => {
  it("stands when what it sends to itself has come through every lane, and says so once a shard", async () => {
    const { inbox, opened, up, lines, state } = await world();
    await opened;
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(lines()).toEqual(["lanes work x 0 1", "lanes work y 2 3"]);
    expect([inbox.counts.replacements, state.changes]).toEqual([0, 1]);
  });

  it("closes its first subscriber when one that began later is there before it", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const closed: number[] = [];
    let begun = 0;
    const subscribe: LaneInboxOptions["subscribe"] = async () => {
      const number = begun++;
      await gates[number]?.promise;
      return { close: () => void closed.push(number) };
    };
    const { inbox, pass } = await world({ subscribe });
    inbox.topologyChanged(() => true);
    for (const gate of gates.toReversed()) {
      gate.resolve();
      await pass(20);
    }
    expect(closed).toEqual([0]);
    inbox.close();
    expect(closed).toEqual([0, 1]);
  });

  it("hands on what comes and keeps its probes to itself", async () => {
    const { subscribers, received, pass } = await world();
    subscribers[0]?.onBytes(2, Uint8Array.of(8, 1));
    await pass(3000);
    expect(received).toEqual(["2:8,1"]);
  });

  it("probes each lane once a second, and one through which something has just come not at all", async () => {
    const { subscribers, state, pass } = await world();
    state.published = 0;
    await pass(10_000);
    expect(state.published).toBe(40);
    for (let i = 0; i < 100; i++) {
      subscribers[0]?.onBytes(0, Uint8Array.of(8));
      await pass(100);
    }
    expect(state.published).toBe(70);
  });

  it("probes one that others use, too, only when nobody was heard on it for long, and replaces its subscriber if it is deaf", async () => {
    const { subscribers, state, pass, lines, up } = await world({
      silenceMs: (lane) => (lane === 3 ? 5_000 : 500),
      nameOf: (lane) => (lane === 3 ? "shared" : `${lane}`),
    });
    expect(lines()).toEqual(["lanes work x 0 1", "lanes work y 2 shared"]);
    state.published = 0;
    await pass(20_000);
    // Once a second each of three, and one in five.
    expect(state.published).toBe(60 + 4);
    state.published = 0;
    for (let i = 0; i < 20; i++) {
      subscribers[0]?.onBytes(3, Uint8Array.of(8));
      await pass(1_000);
    }
    expect(state.published).toBe(60);
    subscribers[0]?.lanes.delete(3);
    await pass(8_000);
    expect(subscribers).toHaveLength(2);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(lines()).toContain("lanes do not work y shared nobody");
  });

  it("takes lanes for dead that cannot be published to, blames no subscriber for it, and probes them more often", async () => {
    const { subscribers, state, pass, up, lines } = await world();
    lines();
    state.unreachable = new Set([2, 3]);
    await pass(1000);
    expect(up()).toEqual([0, 1]);
    expect(lines()).toEqual(["lanes do not work y 2 3 unreachable"]);
    await pass(5000);
    expect(subscribers).toHaveLength(1);
    state.unreachable.clear();
    await pass(250);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(lines()).toEqual(["lanes work y 2 3"]);
  });

  it("replaces a subscriber that has gone deaf on a lane, and closes it when the next one hears everything", async () => {
    const { inbox, subscribers, pass, up, lines } = await world();
    const [first] = subscribers as [FakeSubscriber];
    lines();
    first.lanes.delete(1);
    await pass(1200);
    expect(up()).toEqual([0, 2, 3]);
    await pass(600);
    expect(subscribers).toHaveLength(2);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(lines()).toEqual([
      "lanes do not work x 1 nobody",
      "valkey subscriber replaced, because lanes did not come back 1",
      "lanes work x 1",
    ]);
    await pass(1000);
    expect([first.isClosed, subscribers[1]?.isClosed, inbox.counts.replacements]).toEqual([true, false, 1]);
  });

  it("keeps the replaced one as long as it hears what the next one does not, and goes on trying", async () => {
    const { subscribers, state, pass, up } = await world();
    const [first] = subscribers as [FakeSubscriber];
    first.lanes.delete(1);
    state.denied = new Set([0]);
    await pass(4000);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(first.isClosed).toBe(false);
    await pass(10_000);
    expect(first.isClosed).toBe(true);
    state.denied.clear();
    await pass(3000);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(subscribers.filter(({ isClosed }) => !isClosed)).toHaveLength(1);
  });

  it("takes a lane that is subscribed at a replica for down, whatever arrives, because publishers find nobody, and replaces the subscriber", async () => {
    const { inbox, subscribers, state, pass, up, lines } = await world();
    lines();
    state.misplaced = new Set([2, 3]);
    await pass(1200);
    expect([up(), subscribers.length]).toEqual([[0, 1], 1]);
    for (let i = 0; i < 10; i++) {
      subscribers[0]?.onBytes(2, Uint8Array.of(8)); // by a detour
      await pass(30);
    }
    expect(up()).toEqual([0, 1]);
    await pass(300);
    expect(inbox.counts.replacements).toBe(1);
    state.misplaced.clear();
    await pass(300);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(lines()).toEqual([
      "lanes do not work y 2 3 nobody",
      "valkey subscriber replaced, because lanes did not come back 2 3",
      "lanes work y 2 3",
    ]);
  });

  it("notices a subscriber that is there and hears nothing", async () => {
    const { subscribers, pass, up } = await world();
    const [first] = subscribers as [FakeSubscriber];
    Object.assign(first, { onBytes: () => {} });
    await pass(1500);
    expect(up()).toEqual([]);
    await pass(1500);
    expect([subscribers.length, up()]).toEqual([2, [0, 1, 2, 3]]);
  });

  it("replaces it at once when a shard of lanes that are down has another primary", async () => {
    const { inbox, subscribers, state, pass, up } = await world();
    const [first] = subscribers as [FakeSubscriber];
    state.unreachable = new Set([2, 3]);
    state.failing.add("y");
    for (const lane of [2, 3]) first.lanes.delete(lane);
    await pass(3000);
    state.unreachable.clear();
    state.failing.clear();
    inbox.topologyChanged((lane) => lane >= 2);
    await pass(20);
    expect([subscribers.length, up()]).toEqual([2, [0, 1, 2, 3]]);
  });

  it("replaces it at once too when subscriptions that stood have not moved with their slots", async () => {
    const { inbox, subscribers, pass, up } = await world();
    for (const lane of [2, 3]) subscribers[0]?.lanes.delete(lane);
    inbox.topologyChanged((lane) => lane >= 2);
    await pass(20);
    expect([subscribers.length, up()]).toEqual([2, [0, 1, 2, 3]]);
  });

  it("lets nobody wait for a shard that does not answer: its lanes are asked for when it does", async () => {
    const { inbox, subscribers, state, pass, up, lines } = await world();
    state.failing.add("x");
    state.unreachable = new Set([0, 1]);
    subscribers[0]?.lanes.delete(2);
    await pass(2000);
    expect([...(subscribers[1]?.lanes ?? [])]).toEqual([2, 3]);
    expect(up()).toEqual([2, 3]);
    lines();
    state.failing.clear();
    state.unreachable.clear();
    await pass(1000);
    expect(up()).toEqual([0, 1, 2, 3]);
    expect(inbox.counts.replacements).toBe(2);
  });

  it("is not held up by an attempt that hangs when the topology has changed since", async () => {
    const { inbox, subscribers, state, pass, up } = await world();
    const [first] = subscribers as [FakeSubscriber];
    const hanging = Promise.withResolvers<void>();
    state.gate = hanging.promise;
    first.lanes.clear();
    await pass(2000);
    expect(up()).toEqual([]);
    state.gate = Promise.resolve();
    inbox.topologyChanged(() => true);
    await pass(50);
    expect(up()).toEqual([0, 1, 2, 3]);
    hanging.resolve();
    await pass(50);
    expect(subscribers.map(({ isClosed }) => isClosed).at(-1)).toBe(true); // it began before the other
    expect(up()).toEqual([0, 1, 2, 3]);
  });

  it("tries again when a subscriber cannot be replaced", async () => {
    const { inbox, subscribers, state, pass, up, lines } = await world();
    subscribers[0]?.lanes.clear();
    state.refusal = new Error("Connection refused");
    await pass(3500);
    expect(lines().filter((line) => line.startsWith("valkey subscriber could not be replaced"))).toHaveLength(3);
    expect(inbox.counts).toMatchObject({ replacements: 0, replacementsFailed: 3 });
    state.refusal = undefined;
    await pass(1500);
    expect(up()).toEqual([0, 1, 2, 3]);
  });

  it("does not take for lost what has arrived while the process stood still", async () => {
    const { clock, inbox, subscribers, pass, up } = await world();
    const [first] = subscribers as [FakeSubscriber];
    const { onBytes } = first;
    const waiting: (() => void)[] = [];
    Object.assign(first, { onBytes: (lane: number, bytes: Uint8Array) => waiting.push(() => onBytes(lane, bytes)) });
    await pass(970);
    expect(waiting).toHaveLength(4);
    clock.stall(5000);
    clock.runTimers(); // overdue, and before anything is read
    for (const arrive of waiting) arrive();
    clock.turn();
    clock.turn();
    expect([inbox.counts.probesLost, up()]).toEqual([0, [0, 1, 2, 3]]);
  });

  it("goes on to stand for two seconds at most, whatever is missing, and throws what the first connection throws", async () => {
    const { opened, pass } = await world({ publish: async () => 0 });
    let isOpen = false;
    void opened.then(() => {
      isOpen = true;
    });
    await pass(1900);
    expect(isOpen).toBe(false);
    await pass(200);
    expect(isOpen).toBe(true);
    const refused = await world({ subscribe: async () => await Promise.reject(new Error("refused")) });
    await expect(refused.opened).rejects.toThrow("refused");
  });

  it("is silent when it is closed", async () => {
    const { clock, inbox, subscribers, received, state, pass } = await world();
    inbox.close();
    state.published = 0;
    subscribers[0]?.onBytes(0, Uint8Array.of(8));
    await pass(2000);
    expect([received, state.published, clock.pendingTimers]).toEqual([[], 0, 0]);
  });
});
