import { GapReason, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import type { ChannelPolicy } from "../../config/channel-policy.ts";
import type { LogPosition } from "../../log/log-position.ts";
import type { MessageLog } from "../../log/message-log.ts";
import { silentLog } from "../../observe/log.ts";
import type { StoredEntry } from "../../router/local-delivery.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { OutboundFrame } from "../../wire/outbound-frame.ts";
import { ChannelState } from "../channel-state.ts";
import type { Session } from "../session.ts";
import { Subscription } from "../subscription.ts";
import { DurableDelivery } from "./durable-delivery.ts";
import { type Place, ReaderModel } from "./testing/reader-model.ts";
import { at, entry, epoch, ScriptedLog } from "./testing/scripted-log.ts";

describe("DurableDelivery", () => {
  let clock: VirtualClock;
  let log: ScriptedLog;
  let delivery: DurableDelivery;
  let state: ChannelState;
  let subscription: Subscription;
  let link: ReaderModel;
  let taken: string[];
  let gaps: { reason: GapReason; from: number; to: number }[];
  let caughtUp: number[];
  let closed: SubscriptionCloseReason[];

  beforeEach(() => {
    clock = new VirtualClock();
    log = new ScriptedLog();
    taken = [];
    gaps = [];
    caughtUp = [];
    closed = [];
    link = new ReaderModel({
      message: (_: Place, text) => taken.push(text),
      skipped: () => {},
      gap: (reason, from, to) => gaps.push({ reason, from: from.offset, to: to.offset }),
      caughtUp: ({ offset }) => caughtUp.push(offset),
    });
    delivery = new DurableDelivery({
      appId: "a",
      messageLog: log as unknown as MessageLog,
      clock,
      log: silentLog,
      counters: { messagesDelivered: 0 },
      policyFor: () => ({}) as ChannelPolicy,
      pushBytes: 1_000_000,
      close: (_, reason) => closed.push(reason),
    });
    state = new ChannelState("g:log:x", () => undefined);
    const session = { link, features: new Set(["durable"]), origin: 99n } as unknown as Session;
    subscription = new Subscription(session, state, "client");
    state.subscribers.add(subscription);
  });

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      clock.turn();
    }
  };

  /** Serves the subscription, from the position, until it is live. */
  const begin = async (position: LogPosition): Promise<void> => {
    link.place = position;
    delivery.start(subscription, { position, head: position, cursor: undefined, recovered: false, gap: undefined });
    await settle();
    expect(subscription.reader?.mode).toBe("live");
  };

  const feed = (stored: StoredEntry) => delivery.feed(state, stored)?.(subscription);

  it("puts no page into a queue in which one waits, however many channels a session reads", async () => {
    const options = { appId: "a", messageLog: log as unknown as MessageLog, clock, log: silentLog };
    const counters = { messagesDelivered: 0 };
    const policyFor = () => ({}) as ChannelPolicy;
    const small = new DurableDelivery({
      ...options,
      counters,
      policyFor,
      pushBytes: 20,
      close: (_, reason) => closed.push(reason),
    });
    log.put(1, 2);
    let [queuedBytes, queued] = [0, 0];
    let drained = Promise.withResolvers<void>();
    const slow = {
      get queuedBytes() {
        return queuedBytes;
      },
      enqueue({ bytes }: OutboundFrame) {
        queuedBytes += bytes.length;
        queued++;
      },
      writable: () => (queuedBytes === 0 ? Promise.resolve() : drained.promise),
    };
    const session = { link: slow, features: new Set(["durable"]), origin: 99n } as unknown as Session;
    for (const key of ["g:log:x", "g:log:y", "g:log:z"]) {
      const one = new Subscription(session, new ChannelState(key, () => undefined), "client");
      small.start(one, { position: at(0), head: at(0), cursor: undefined, recovered: false, gap: undefined });
    }
    for (const expected of [2, 4, 6]) {
      await settle();
      expect(queued).toBe(expected);
      queuedBytes = 0;
      drained.resolve();
      drained = Promise.withResolvers();
    }
    expect(closed).toEqual([]);
  });

  it("feeds what follows", async () => {
    log.put(1);
    await begin(at(1));
    expect([feed(entry(2)), feed(entry(3))]).toEqual(["reached", "reached"]);
    expect(taken).toEqual(["m2/2", "m3/3"]);
  });

  it("feeds nothing twice, and nothing of an epoch that is gone", async () => {
    log.put(1, 2);
    await begin(at(2));
    expect(feed(entry(3))).toBe("reached");
    expect(feed(entry(3))).toBeUndefined();
    expect(feed({ ...entry(9), position: { ...at(9), epoch: epoch - 1 } })).toBeUndefined();
    expect(state.feedHead).toEqual(at(3));
  });

  it("misses nothing where the repeat of an old entry is the first that is fed", async () => {
    log.put(1, 2);
    expect(feed(entry(1))).toBe("later");
    await begin(at(1));
    expect(taken).toEqual(["m2/2"]);
    expect(feed(entry(3))).toBe("reached");
  });

  it("feeds who reads no log what a reader has read before it was fed", async () => {
    log.put(1, 2);
    await begin(at(1));
    const plain = { link, features: new Set<string>(), origin: 98n } as unknown as Session;
    const live = new Subscription(plain, state, "client");
    expect(delivery.feed(state, entry(2))?.(live)).toBe("reached");
  });

  it("reads what was left out before an entry, instead of going on past the hole (FF-DU-025)", async () => {
    log.put(1);
    await begin(at(1));
    log.put(1, 2, 3, 4);
    expect(feed(entry(4))).toBe("later");
    await settle();
    expect(taken).toEqual(["m2/2", "m3/3", "m4/4"]);
    expect(feed(entry(5))).toBe("reached");
    expect(gaps).toEqual([]);
    expect(link.faults).toEqual([]);
  });

  it("tells a fork when an entry has another one before it than was sent, and goes on at the head (FF-DU-019, FF-DU-025)", async () => {
    log.put(1, 2);
    await begin(at(2));
    log.put(1, 2, 3);
    log.verdict = "forked";
    expect(feed(entry(3, 3, 77))).toBe("later");
    await settle();
    expect(gaps).toEqual([{ reason: GapReason.FORKED, from: 2, to: 3 }]);
    expect(feed(entry(4))).toBe("reached");
    expect(taken).toEqual(["m4/4"]);
  });

  it("tells that the log is another one, although its offsets are lower (FF-DU-026)", async () => {
    const later = (offset: number): LogPosition => ({ ...at(offset), epoch: epoch + 1 });
    log.put(1, 2, 3);
    await begin(at(3));
    log.put(1);
    log.verdict = "other-epoch";
    log.epoch = epoch + 1;
    log.tail = later(0);
    expect(feed({ ...entry(1), position: later(1) })).toBe("later");
    await settle();
    expect(gaps).toEqual([{ reason: GapReason.EPOCH, from: 3, to: 0 }]);
    expect(taken).toEqual(["m1/1"]);
    expect(feed({ ...entry(2), position: later(2) })).toBe("reached");
  });

  describe("where the log is cleared", () => {
    const later = (offset: number): LogPosition => ({ ...at(offset), epoch: epoch + 1 });
    const laterEntry = (offset: number): StoredEntry => ({ ...entry(offset), position: later(offset) });
    const clear = (): void => {
      log.put();
      log.epoch = epoch + 1;
      log.tail = later(0);
      log.verdict = "other-epoch";
    };

    it("goes on at once, and reads nothing for that", async () => {
      log.put(1, 2);
      await begin(at(2));
      const { reads } = log;
      clear();
      delivery.cleared(state, later(0));
      expect(feed(laterEntry(1))).toBe("reached");
      expect(gaps).toEqual([{ reason: GapReason.EPOCH, from: 2, to: 0 }]);
      expect([taken, link.faults, log.reads]).toEqual([["m1/1"], [], reads]);
    });

    it("tells it once, and sends nothing twice, when word of that comes behind what was stored since (FF-DU-022)", async () => {
      log.put(1, 2, 3);
      await begin(at(3));
      clear();
      log.put(1, 2);
      expect([feed(laterEntry(1)), feed(laterEntry(2))]).toEqual(["later", "later"]);
      await settle();
      delivery.cleared(state, later(0));
      expect(feed(laterEntry(3))).toBe("reached");
      await settle();
      expect(gaps).toEqual([{ reason: GapReason.EPOCH, from: 3, to: 0 }]);
      expect([taken, link.faults]).toEqual([["m1/1", "m2/2", "m3/3"], []]);
    });

    it("goes on reading what was stored since and left for the reader (FF-DU-008)", async () => {
      log.put(1, 2, 3);
      await begin(at(3));
      clear();
      log.verdict = undefined;
      log.put(1, 2);
      expect([feed(laterEntry(1)), feed(laterEntry(2))]).toEqual(["later", "later"]);
      delivery.cleared(state, later(0)); // before the page has come
      await settle();
      expect(gaps).toEqual([{ reason: GapReason.EPOCH, from: 3, to: 0 }]);
      expect([taken, link.faults]).toEqual([["m1/1", "m2/2"], []]);
      expect(feed(laterEntry(3))).toBe("reached");
    });

    it("still says where the replay has ended that it has interrupted (FF-DU-021)", async () => {
      log.put(1, 2);
      link.place = at(0);
      delivery.start(subscription, {
        position: at(0),
        head: at(2),
        cursor: undefined,
        recovered: false,
        gap: undefined,
      });
      clear();
      log.verdict = undefined;
      delivery.cleared(state, later(0));
      await settle();
      expect(caughtUp).toEqual([0]);
    });

    it("goes back to no log that was cleared again since", async () => {
      await begin(at(0));
      log.epoch = epoch + 2;
      const newest: LogPosition = { ...at(0), epoch: epoch + 2 };
      delivery.cleared(state, newest);
      delivery.cleared(state, later(0));
      expect([state.feedHead, subscription.reader?.position]).toEqual([newest, newest]);
      expect(gaps.length).toBe(1);
    });
  });

  it("does not stay behind when the log becomes another one while it is read", async () => {
    const later = (offset: number): LogPosition => ({ ...at(offset), epoch: epoch + 1 });
    log.put(1, 2, 3);
    link.place = at(3);
    const plan = { position: at(3), head: at(3), cursor: undefined, recovered: true, gap: undefined };
    log.onRead = () => {
      log.onRead = () => {};
      feed({ ...entry(1), position: later(1) });
      queueMicrotask(() => {
        log.put(1);
        log.verdict = "other-epoch";
        log.epoch = epoch + 1;
        log.tail = later(0);
      });
    };
    delivery.start(subscription, plan);
    await settle();
    expect(gaps).toEqual([{ reason: GapReason.EPOCH, from: 3, to: 0 }]);
    expect(taken).toEqual(["m1/1"]);
  });

  it.each([
    ["trimmed" as const, GapReason.TRIMMED],
    ["other-epoch" as const, GapReason.EPOCH],
  ])("goes on at the oldest entry of a log that is %s", async (verdict, reason) => {
    log.put(6, 7);
    log.tail = at(5);
    log.verdict = verdict;
    link.place = at(2);
    const plan = { position: at(2), head: at(7), cursor: undefined, recovered: true, gap: undefined };
    delivery.start(subscription, plan);
    await settle();
    expect(gaps).toEqual([{ reason, from: 2, to: 5 }]);
    expect(taken).toEqual(["m6/6", "m7/7"]);
  });

  it("reads once more when a word of something stored was lost while it has the last page already", async () => {
    log.put(1, 2);
    log.onRead = () => {
      log.onRead = () => {};
      log.put(1, 2, 3);
      void delivery.lookAgain(state);
    };
    await begin(at(0));
    expect(taken).toEqual(["m1/1", "m2/2", "m3/3"]);
  });

  it("reads again when the log was out of reach for a moment", async () => {
    log.put(1);
    await begin(at(1));
    log.put(1, 2, 3);
    log.failures = 3;
    feed(entry(3));
    for (let i = 0; i < 4; i++) {
      await settle();
      clock.advance(500);
    }
    await settle();
    expect(taken).toEqual(["m2/2", "m3/3"]);
    expect(closed).toEqual([]);
  });

  it("closes the subscription when the log stays out of reach, and only once", async () => {
    log.put(1);
    await begin(at(1));
    log.failures = Number.POSITIVE_INFINITY;
    feed(entry(3));
    for (let i = 0; i < 30; i++) {
      await settle();
      clock.advance(500);
    }
    await settle();
    expect(closed).toEqual([SubscriptionCloseReason.FAILED]);
    const { reads } = log;
    clock.advance(10_000);
    await settle();
    expect(log.reads).toBe(reads);
  });

  it("leaves a subscription alone whose connection has gone, and one that was stopped", async () => {
    log.put(1);
    await begin(at(1));
    subscription.session.link = undefined;
    expect(feed(entry(2))).toBe("detached");
    subscription.session.link = link;
    delivery.stop(subscription);
    expect(feed(entry(3))).toBe("later");
    await settle();
    expect(taken).toEqual([]);
  });

  it("finds out by itself what may not be read yet and was told to nobody here", async () => {
    log.put(1, 2, 3);
    log.withheld = log.entries.splice(2);
    await begin(at(2));
    for (let i = 0; i < 3; i++) {
      clock.advance(500);
      await settle();
    }
    expect(taken).toEqual([]);
    const before = log.reads;
    log.entries.push(...log.withheld.splice(0));
    clock.advance(500);
    await settle();
    expect(taken).toEqual(["m3/3"]);
    clock.advance(60_000);
    await settle();
    expect(log.reads).toBe(before + 2);
  });
});
