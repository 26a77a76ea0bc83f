import { beforeEach, describe, expect, it } from "vitest";
import { messageFrame } from "../testing/outbound-frames.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { FanOut, type FanOutReport } from "./fan-out.ts";
import type { Session } from "./session.ts";
import { Subscribers } from "./subscribers.ts";
import type { Subscription } from "./subscription.ts";

/** A subscription that keeps what it was sent. */
class Receiver {
  readonly frames: OutboundFrame[] = [];
  active = true;
  pending = false;
  index = -1;
  session: { link: { enqueue: (frame: OutboundFrame) => void } | undefined } = {
    link: { enqueue: (frame) => this.frames.push(frame) },
  };

  get subscription(): Subscription {
    return this as unknown as Subscription;
  }
}

let clock: VirtualClock;
let fanOut: FanOut;
let subscribers: Subscribers;
let receivers: Receiver[];

beforeEach(() => {
  clock = new VirtualClock();
  fanOut = new FanOut(clock);
  subscribers = new Subscribers();
  receivers = [];
});

function join(count = 1): Receiver {
  for (let i = 0; i < count; i++) {
    const receiver = new Receiver();
    receivers.push(receiver);
    subscribers.add(receiver.subscription);
  }
  return receivers.at(-1) as Receiver;
}

function leave(receiver: Receiver): void {
  receiver.active = false;
  subscribers.remove(receiver.subscription);
}

function deliver(frame: OutboundFrame, reports: FanOutReport[] = [], excluded?: Session): boolean {
  return fanOut.deliver({ subscribers, serve: frame, excluded, done: (report) => reports.push({ ...report }) });
}

describe("FanOut", () => {
  it("serves everybody at once and counts who was reached, detached and excluded", () => {
    join(4);
    receivers[1]!.session.link = undefined;
    const reports: FanOutReport[] = [];
    const frame = messageFrame("a");
    deliver(frame, reports, receivers[2]!.session as unknown as Session);
    expect(reports).toEqual([{ reached: 2, detached: 1, excluded: 1 }]);
    expect(receivers.map(({ frames }) => frames)).toEqual([[frame], [], [], [frame]]);
    expect(clock.pendingTurns).toBe(0);
  });

  it("leaves out who was not told of the subscription yet", () => {
    join(2);
    receivers[0]!.pending = true;
    const reports: FanOutReport[] = [];
    deliver(messageFrame("a"), reports);
    receivers[0]!.pending = false;
    const second = messageFrame("b");
    deliver(second, reports);
    expect(reports.map(({ reached }) => reached)).toEqual([1, 2]);
    expect(receivers[0]!.frames).toEqual([second]);
  });

  it("lets a job serve each subscription by itself", () => {
    join(4);
    const answers = ["reached", "detached", "excluded", "later"] as const;
    const reports: FanOutReport[] = [];
    let next = 0;
    const serve = () => answers[next++] as (typeof answers)[number];
    fanOut.deliver({ subscribers, serve, excluded: undefined, done: (report) => reports.push({ ...report }) });
    expect(reports).toEqual([{ reached: 1, detached: 1, excluded: 1 }]);
  });

  it("gives the event loop back after 5 ms, and goes on where it was", () => {
    join(3_000);
    clock.costOfReadingMs = 2;
    const reports: FanOutReport[] = [];
    deliver(messageFrame("a"), reports);
    const served = () => receivers.filter(({ frames }) => frames.length === 1).length;
    const afterFirst = served();
    expect(afterFirst).toBeGreaterThan(0);
    expect(afterFirst).toBeLessThan(3_000);
    expect(reports).toEqual([]);
    let turns = 0;
    for (; clock.pendingTurns > 0; turns++) clock.turn();
    expect(turns).toBeGreaterThan(1);
    expect(served()).toBe(3_000);
    expect(reports).toEqual([{ reached: 3_000, detached: 0, excluded: 0 }]);
  });

  it("serves messages one after the other, so that none overtakes an earlier one", () => {
    join(1_500);
    clock.costOfReadingMs = 3;
    const [a, b, c] = ["a", "b", "c"].map((text) => messageFrame(text)) as [
      OutboundFrame,
      OutboundFrame,
      OutboundFrame,
    ];
    const order: string[] = [];
    for (const [name, frame] of [
      ["a", a],
      ["b", b],
    ] as const) {
      fanOut.deliver({ subscribers, serve: frame, excluded: undefined, done: () => order.push(name) });
    }
    clock.turn();
    fanOut.deliver({ subscribers, serve: c, excluded: undefined, done: () => order.push("c") });
    while (clock.pendingTurns > 0) clock.turn();
    expect(order).toEqual(["a", "b", "c"]);
    for (const { frames } of receivers) expect(frames).toEqual([a, b, c]);
  });

  it("skips and doubles nobody while others join and leave between slices", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    join(2_000);
    clock.costOfReadingMs = 3;
    const frames = Array.from({ length: 5 }, (_, i) => messageFrame(`${i}`));
    const atStart = new Set(receivers);
    for (const frame of frames) deliver(frame);
    const left = new Set<Receiver>();
    const newcomers: Receiver[] = [];
    while (clock.pendingTurns > 0) {
      for (let i = 0; i < 20; i++) {
        const receiver = receivers[random(receivers.length)] as Receiver;
        if (receiver.active) {
          leave(receiver);
          left.add(receiver);
        }
        newcomers.push(join());
      }
      clock.turn();
    }
    for (const receiver of atStart) {
      const expected = left.has(receiver) ? frames.slice(0, receiver.frames.length) : frames;
      expect(receiver.frames).toEqual(expected);
    }
    // Who joined on the way gets every message from some one on, in order: it may have begun before.
    for (const { frames: got, active } of newcomers) {
      if (active) expect(got).toEqual(frames.slice(frames.length - got.length));
    }
    expect(left.size).toBeGreaterThan(50);
  });

  it("sends nothing to who left after the message began", () => {
    join(2_000);
    clock.costOfReadingMs = 3;
    deliver(messageFrame("a"));
    const last = receivers.at(-1) as Receiver;
    leave(last);
    while (clock.pendingTurns > 0) clock.turn();
    expect(last.frames).toEqual([]);
  });

  it("refuses a message while too many wait, and takes the next when there is room", () => {
    fanOut = new FanOut(clock, 2);
    join(2_000);
    clock.costOfReadingMs = 3;
    const accepted = ["a", "b", "c", "d"].map((text) => deliver(messageFrame(text)));
    expect(accepted).toEqual([true, true, true, false]);
    while (clock.pendingTurns > 0) clock.turn();
    expect(receivers[0]!.frames.length).toBe(3);
    expect(deliver(messageFrame("e"))).toBe(true);
  });

  it("takes a message that the end of another one leads to", () => {
    join(3);
    const second = messageFrame("second");
    fanOut.deliver({
      subscribers,
      serve: messageFrame("first"),
      excluded: undefined,
      done: () => deliver(second),
    });
    for (const { frames } of receivers) expect(frames[1]).toBe(second);
  });
});

describe("Subscribers", () => {
  it("adds and removes anywhere and keeps each place", () => {
    join(5);
    leave(receivers[1]!);
    leave(receivers[4]!);
    leave(receivers[0]!);
    expect(subscribers.size).toBe(2);
    expect(new Set(subscribers)).toEqual(new Set([receivers[2], receivers[3]]));
    for (const receiver of subscribers) expect(subscribers.list[receiver.index]).toBe(receiver);
  });

  it("keeps a held list as it was, and copies it once for any number of changes", () => {
    join(3);
    const held = subscribers.hold();
    join();
    const copy = subscribers.list;
    join();
    leave(receivers[0]!);
    expect(held.length).toBe(3);
    expect(subscribers.list).toBe(copy);
    expect(subscribers.size).toBe(4);
    subscribers.release(held);
    join();
    expect(subscribers.list).toBe(copy);
  });

  it("changes in place again once everybody has released", () => {
    join(2);
    const [one, two] = [subscribers.hold(), subscribers.hold()];
    expect(one).toBe(two);
    subscribers.release(one);
    join();
    expect(one.length).toBe(2);
    const list = subscribers.list;
    join();
    expect(subscribers.list).toBe(list);
  });
});
