import { fromBinary } from "@bufbuild/protobuf";
import { ErrorCode, LeaveReason, ServerFramesSchema } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { FanfareError } from "../fanfare-error.ts";
import { Counters } from "../observe/counters.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { channelOf, groupKey } from "../wire/channel-key.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { AppHub } from "./app-hub.ts";
import { ChannelState } from "./channel-state.ts";
import type { Session } from "./session.ts";
import { Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";

const unavailable = new FanfareError(ErrorCode.UNAVAILABLE, "out of reach");
const key = groupKey("clan");
const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** A hub of which every player is a member of every group, and whose routes and log can be reached or not. */
class Fake {
  readonly clock = new VirtualClock();
  readonly told: string[] = [];
  isReachable = false;
  isDurable = false;
  readonly session = {
    id: "s",
    playerId: "p",
    features: new Set(),
    credentials: { groups: [], capabilities: [] },
    subscriptions: new Map(),
    unsubscribed: new Set(),
    link: { enqueue: (frame: OutboundFrame) => this.#tell(frame) },
  } as unknown as Session;
  readonly subscriptions = new Subscriptions(
    {
      namespaces: { policyFor: () => ({}) },
      channels: {
        open: () => ({ key, channel: channelOf(key), subscribers: { add() {}, remove() {} }, presence: undefined }),
        // A durable channel's route stands here, and its log cannot be read.
        routed: () => (this.isDurable ? undefined : this.#reach(undefined)),
        release() {},
      },
      starts: { inForce: () => this.isDurable, plan: () => this.#reach({ position: at, head: at, recovered: false }) },
      durable: { start() {}, stop() {} },
      events: { emit() {} },
      isMember: () => true,
    } as unknown as AppHub,
    10,
    new Counters(),
    this.clock,
  );

  async #reach<T>(found: T): Promise<T> {
    if (!this.isReachable) throw unavailable;
    return found;
  }

  #tell({ bytes }: OutboundFrame): void {
    for (const { kind } of fromBinary(ServerFramesSchema, bytes).frames) {
      if (kind.case === "subscription") this.told.push(`${kind.value.event.case}`);
    }
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await turns();
  }
}

const at = { epoch: 1, offset: 0, tag: 0 };
let fake: Fake;
beforeEach(() => {
  fake = new Fake();
});

describe("a group that a session is owed (FF-SB-002)", () => {
  for (const isDurable of [false, true]) {
    it(`is opened as soon as it can be, and not a word of it goes out before, ${isDurable ? "durable" : "live"}`, async () => {
      fake.isDurable = isDurable;
      fake.subscriptions.announceOpened(fake.session, key);
      for (let i = 0; i < 5; i++) await fake.pass(1_000);
      expect([fake.told, fake.session.subscriptions.get(key)?.pending]).toEqual([[], true]);
      fake.isReachable = true;
      await fake.pass(1_000);
      expect([fake.told, fake.session.subscriptions.get(key)?.pending]).toEqual([["opened"], false]);
      await fake.pass(60_000);
      expect([fake.told, fake.clock.pendingTimers]).toEqual([["opened"], 0]);
    });
  }

  it("is not tried any more once it is over, or its client was told otherwise", async () => {
    fake.subscriptions.announceOpened(fake.session, key);
    await fake.pass(1_000);
    fake.subscriptions.told(fake.session.subscriptions.get(key)!);
    fake.isReachable = true;
    await fake.pass(60_000);
    expect([fake.told, fake.clock.pendingTimers]).toEqual([[], 0]);
    fake.isReachable = false;
    fake.subscriptions.close(fake.session.subscriptions.get(key)!, LeaveReason.LEFT);
    fake.subscriptions.announceOpened(fake.session, key);
    await fake.pass(1_000);
    fake.subscriptions.close(fake.session.subscriptions.get(key)!, LeaveReason.LEFT);
    fake.isReachable = true;
    await fake.pass(60_000);
    expect([fake.told, fake.clock.pendingTimers]).toEqual([[], 0]);
  });

  it("is opened also if its client has asked for it meanwhile and was refused, however often", async () => {
    fake.subscriptions.announceOpened(fake.session, key);
    await turns();
    for (let i = 0; i < 3; i++) {
      fake.subscriptions.refused(
        fake.subscriptions.open(fake.session, channelOf(key), { presence: false, presenceData: undefined }),
      );
    }
    expect(fake.clock.pendingTimers).toBe(1);
    fake.isReachable = true;
    await fake.pass(1_000);
    expect(fake.told).toEqual(["opened"]);
  });

  it("is opened also if it was asked for before the player became a member, and refused after it", async () => {
    const options = { presence: false, presenceData: undefined };
    const asked = fake.subscriptions.open(fake.session, channelOf(key), options);
    asked.pending = true;
    fake.subscriptions.announceOpened(fake.session, key);
    fake.subscriptions.refused(asked);
    fake.isReachable = true;
    await fake.pass(1_000);
    expect(fake.told).toEqual(["opened"]);
  });
});

it("a first subscribe that is refused leaves nothing behind where nothing is owed", () => {
  fake.subscriptions.announceOpened(fake.session, key);
  const subscription = fake.session.subscriptions.get(key)!;
  subscription.byServer = false;
  fake.subscriptions.refused(subscription);
  expect(fake.session.subscriptions.size).toBe(0);
});

it("everybody is told that messages may be missing, also when the queue of one overflows with that word and its subscription ends (FF-SB-015)", () => {
  const state = new ChannelState(key, () => undefined);
  const told: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const enqueue = () => {
      told.push(name);
      if (name === "a") state.subscribers.remove(subscription);
    };
    const subscription = new Subscription({ link: { enqueue } } as unknown as Session, state, "client");
    state.subscribers.add(subscription);
  }
  fake.subscriptions.tellMissed(state);
  expect(told).toEqual(["a", "b", "c"]);
});
