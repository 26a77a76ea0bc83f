import { create, fromBinary } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  ChannelSchema,
  LeaveReason,
  PayloadSchema,
  type PresenceEvent,
  PresenceEventSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { ChannelPresence, type PresencePeers } from "./channel-presence.ts";
import type { Subscription } from "./subscription.ts";

const channel = create(ChannelSchema, { kind: { case: "group", value: "g" } });
const data = (text: string) => create(PayloadSchema, { data: { case: "text", value: text } });
const tickMs = 100;

let clock: VirtualClock;
let presence: ChannelPresence;

beforeEach(() => {
  clock = new VirtualClock();
  presence = make();
});

function make(options: { mode?: PresenceMode; maxMembers?: number; peers?: PresencePeers } = {}): ChannelPresence {
  return new ChannelPresence({
    channel,
    mode: PresenceMode.MEMBERS,
    maxMembers: 1000,
    tickMs,
    section: 7n,
    clock,
    ...options,
  });
}

/** What a client is shown, kept by the rules of the protocol: FF-PR-010 to FF-PR-018. */
class Watcher {
  readonly events: PresenceEvent["event"][] = [];
  readonly subscription: Subscription;
  members = new Map<bigint, string>();
  counts: { sessions: number; players: number } | undefined;
  #number: bigint | undefined;
  #loading = new Map<bigint, string>();

  constructor(origin: bigint, playerId = `p${origin}`) {
    const link = { queuedBytes: 0, queueBytes: 1_048_576, enqueue: (frame: OutboundFrame) => this.#take(frame) };
    const session = { origin, playerId, link, generation: 1 };
    this.subscription = { session, presenceData: undefined } as unknown as Subscription;
  }

  #take(frame: OutboundFrame): void {
    for (const { kind } of fromBinary(ServerFramesSchema, frame.bytes).frames) {
      if (kind.case !== "presenceEvent") throw new Error(`${kind.case} is no presence`);
      this.#apply(kind.value.event);
    }
  }

  #apply(event: PresenceEvent["event"]): void {
    this.events.push(event);
    if (event.case === "counts") {
      this.counts = event.value;
      this.members.clear();
      this.#number = undefined;
    } else if (event.case === "snapshot") {
      const { members, first, last, number } = event.value;
      if (first) this.#loading = new Map();
      for (const { origin, data } of members) this.#loading.set(origin, `${data?.data.value ?? ""}`);
      if (last) [this.members, this.#number] = [this.#loading, number];
    } else if (event.case === "diff") {
      const { number, joined, updated, left } = event.value;
      if (this.#number === undefined || number <= this.#number) throw new Error(`diff ${number} comes unasked`);
      if (number !== this.#number + 1n) throw new Error(`diff ${number} follows ${this.#number}`);
      this.#number = number;
      for (const { origin, data } of [...joined, ...updated]) this.members.set(origin, `${data?.data.value ?? ""}`);
      for (const { origin } of left) this.members.delete(origin);
    }
  }
}

function joined(count: number, from = 1): Watcher[] {
  return Array.from({ length: count }, (_, i) => {
    const one = new Watcher(BigInt(from + i));
    presence.join(one.subscription);
    return one;
  });
}

function watching(origin: bigint): Watcher {
  const watcher = new Watcher(origin);
  presence.join(watcher.subscription);
  presence.watch(watcher.subscription);
  return watcher;
}

describe("ChannelPresence", () => {
  it("shows a newcomer everybody, itself included, and from then on what changes", () => {
    joined(2);
    const watcher = watching(9n);
    clock.advance(tickMs);
    expect([...watcher.members.keys()]).toEqual([1n, 2n, 9n]);
    const [late] = joined(1, 10);
    presence.leave(late!.subscription, LeaveReason.LEFT);
    const [stays] = joined(1, 11);
    presence.update(stays!.subscription, data("here"));
    clock.advance(tickMs);
    expect(watcher.members.get(11n)).toBe("here");
    expect(watcher.events.map((event) => event.case)).toEqual(["snapshot", "diff"]);
  });

  it("tells the first change after a rest at once, and no more often than the tick", () => {
    const watcher = watching(1n);
    clock.advance(1);
    expect(watcher.events.length).toBe(1);
    joined(1, 2);
    clock.advance(tickMs - 2);
    expect(watcher.events.length).toBe(1);
    clock.advance(1);
    expect(watcher.events.length).toBe(2);
    clock.advance(10 * tickMs);
    expect(watcher.events.length).toBe(2);
    joined(1, 3);
    clock.advance(0);
    expect(watcher.events.length).toBe(3);
  });

  it("says why somebody left, and nothing of who came and went within a tick", () => {
    const [one, two] = joined(2);
    const watcher = watching(9n);
    clock.advance(tickMs);
    presence.leave(one!.subscription, LeaveReason.TIMEOUT);
    presence.leave(two!.subscription, LeaveReason.KICKED);
    const [brief] = joined(1, 5);
    presence.leave(brief!.subscription, LeaveReason.LEFT);
    clock.advance(tickMs);
    const event = watcher.events.at(-1);
    expect(event?.case === "diff" && event.value.left.map(({ origin, reason }) => [origin, reason])).toEqual([
      [1n, LeaveReason.TIMEOUT],
      [2n, LeaveReason.KICKED],
    ]);
    expect(event?.case === "diff" && event.value.joined).toEqual([]);
  });

  it("keeps who left and came back within a tick", () => {
    const [one] = joined(1);
    const watcher = watching(9n);
    clock.advance(tickMs);
    presence.leave(one!.subscription, LeaveReason.LEFT);
    one!.subscription.presenceData = data("back");
    presence.join(one!.subscription);
    clock.advance(tickMs);
    expect(watcher.members.get(1n)).toBe("back");
    presence.leave(one!.subscription, LeaveReason.LEFT);
    presence.join(one!.subscription);
    presence.leave(one!.subscription, LeaveReason.LEFT);
    clock.advance(tickMs);
    expect([...watcher.members.keys()]).toEqual([9n]);
  });

  it("sends a new snapshot to who watches again, and no diff that it already holds", () => {
    const watcher = watching(1n);
    clock.advance(tickMs);
    joined(1, 2);
    presence.watch(watcher.subscription);
    clock.advance(tickMs);
    expect(watcher.events.map((event) => event.case)).toEqual(["snapshot", "snapshot"]);
    joined(1, 3);
    clock.advance(tickMs);
    expect([...watcher.members.keys()]).toEqual([1n, 2n, 3n]);
  });

  it("tells nothing more to who does not watch any more", () => {
    const watcher = watching(1n);
    clock.advance(tickMs);
    presence.unwatch(watcher.subscription);
    joined(1, 2);
    clock.advance(tickMs);
    expect(watcher.events.length).toBe(1);
  });

  it("sends a large channel in pages", () => {
    joined(600);
    const watcher = watching(1000n);
    clock.advance(tickMs);
    const pages = watcher.events.flatMap((event) => (event.case === "snapshot" ? [event.value] : []));
    expect(pages.map(({ members, first, last }) => [members.length, first, last])).toEqual([
      [256, true, false],
      [256, false, false],
      [89, false, true],
    ]);
    expect(watcher.members.size).toBe(601);
  });

  it("keeps every frame far below 2 MiB, however much its members show", () => {
    const sizes: number[] = [];
    const watcher = watching(1000n);
    const link = watcher.subscription.session.link!;
    const { enqueue } = link;
    link.enqueue = (frame) => {
      sizes.push(frame.bytes.length);
      enqueue.call(link, frame);
    };
    clock.advance(tickMs);
    const all = joined(40);
    for (const { subscription } of all) presence.update(subscription, data("x".repeat(60_000)));
    clock.advance(tickMs);
    for (const { subscription } of all) presence.update(subscription, data("y".repeat(60_000)));
    presence.leave(all[0]!.subscription, LeaveReason.LEFT);
    clock.advance(tickMs);
    presence.watch(watcher.subscription);
    clock.advance(tickMs);
    expect(watcher.members.size).toBe(40);
    expect(Math.max(...sizes)).toBeLessThan(300_000);
    const seen = new Set<bigint>();
    for (let pageToken = "", pages = 0; pages === 0 || pageToken !== ""; pages++) {
      const page = presence.page({ pageSize: 1000, pageToken, countsOnly: false });
      expect(page.members.length).toBeLessThanOrEqual(5);
      for (const { origin } of page.members) seen.add(origin);
      pageToken = page.nextPageToken;
    }
    expect(seen.size).toBe(40);
  });

  it("tells counts alone above its bound, and everybody again below it", () => {
    presence = make({ maxMembers: 3 });
    const [one, two] = joined(2);
    const watcher = watching(9n);
    clock.advance(tickMs);
    expect(watcher.members.size).toBe(3);
    const [fourth] = joined(1, 4);
    clock.advance(tickMs);
    expect(watcher.counts).toMatchObject({ sessions: 4, players: 4 });
    const late = watching(10n);
    clock.advance(tickMs);
    expect(late.counts).toMatchObject({ sessions: 5 });
    presence.leave(one!.subscription, LeaveReason.LEFT);
    presence.leave(fourth!.subscription, LeaveReason.LEFT);
    clock.advance(tickMs);
    for (const each of [watcher, late]) expect([...each.members.keys()]).toEqual([2n, 9n, 10n]);
    presence.leave(two!.subscription, LeaveReason.LEFT);
    clock.advance(tickMs);
    for (const each of [watcher, late]) expect([...each.members.keys()]).toEqual([9n, 10n]);
  });

  it("counts a player with several sessions once", () => {
    presence = make({ mode: PresenceMode.COUNTS });
    const twins = [new Watcher(1n, "twin"), new Watcher(2n, "twin")];
    for (const { subscription } of twins) presence.join(subscription);
    const counts = () => presence.page({ pageSize: 0, pageToken: "", countsOnly: false });
    expect(counts()).toMatchObject({ sessions: 2, players: 1, members: [] });
    presence.leave(twins[0]!.subscription, LeaveReason.LEFT);
    expect(counts()).toMatchObject({ sessions: 1, players: 1 });
    presence.leave(twins[1]!.subscription, LeaveReason.LEFT);
    expect(counts()).toMatchObject({ sessions: 0, players: 0 });
  });

  it("gives pages that name everybody present throughout once, whoever comes and goes", () => {
    const all = joined(250);
    const seen: bigint[] = [];
    let pageToken = "";
    for (let page = 0; page < 100; page++) {
      const { members, nextPageToken, sessions } = presence.page({ pageSize: 30, pageToken, countsOnly: false });
      seen.push(...members.map(({ origin }) => origin));
      expect(sessions).toBeGreaterThan(200);
      if (nextPageToken === "") break;
      pageToken = nextPageToken;
      presence.leave(all[page]!.subscription, LeaveReason.LEFT);
      joined(1, 1000 + page);
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (let origin = 20n; origin <= 250n; origin++) expect(seen).toContain(origin);
    expect(() => presence.page({ pageSize: 0, pageToken: "x", countsOnly: false })).toThrow(/page token/);
  });

  it("has no timer once it is disposed of, and none without a change", () => {
    clock.advance(10 * tickMs);
    expect(clock.pendingTimers).toBe(0);
    joined(1);
    presence.dispose();
    expect(clock.pendingTimers).toBe(0);
  });

  describe("of several nodes", () => {
    /** What another node tells of its section. */
    const sectionOf = (...origins: bigint[]) =>
      create(PresenceEventSchema, {
        event: {
          case: "snapshot",
          value: { section: 8n, number: 1n, first: true, last: true, members: origins.map((origin) => ({ origin })) },
        },
      });
    const asks = (...nodes: bigint[]): PresencePeers => ({ send: () => {}, want: () => Promise.resolve(nodes) });
    const settled = () => Promise.resolve().then(() => {});

    it("shows the first who watches nobody until it can show all, and then all at once", async () => {
      presence = make({ peers: asks(20n, 21n) });
      const watcher = watching(1n);
      await settled();
      clock.advance(tickMs);
      presence.receive(20n, sectionOf(5n));
      clock.advance(tickMs);
      expect(watcher.events).toEqual([]);
      presence.receive(21n, sectionOf());
      clock.advance(0);
      expect([...watcher.members.keys()]).toEqual([1n, 5n]);
      expect(watcher.events.map((event) => event.case)).toEqual(["snapshot"]);
    });

    it("does not wait for a node that is gone, or does not answer", async () => {
      for (const endWait of [() => presence.forget(20n), () => clock.advance(500)]) {
        presence = make({ peers: asks(20n) });
        const watcher = watching(1n);
        await settled();
        clock.advance(tickMs);
        expect(watcher.events).toEqual([]);
        endWait();
        clock.advance(tickMs);
        expect([...watcher.members.keys()]).toEqual([1n]);
      }
    });

    it("shows who comes from another node what was told there a moment ago, and nobody as gone who stays", async () => {
      presence = make({ peers: asks(20n) });
      watching(1n);
      presence.receive(20n, sectionOf(5n));
      await settled();
      clock.advance(tickMs);
      const moved = new Watcher(2n);
      Object.assign(moved.subscription.session, { movedAtMs: clock.monotonicMs() });
      presence.join(moved.subscription);
      presence.watch(moved.subscription);
      clock.advance(tickMs);
      presence.receive(20n, sectionOf(5n, 6n));
      clock.advance(399 - tickMs);
      const stays = watching(3n);
      clock.advance(100);
      expect([moved.events.length, stays.events.length]).toEqual([0, 1]);
      clock.advance(tickMs);
      expect([...moved.members.keys()].sort()).toEqual([1n, 2n, 3n, 5n, 6n]);
      // Later it waits for nothing: what it asks for then it has not seen elsewhere.
      presence.watch(moved.subscription);
      clock.advance(tickMs);
      expect(moved.events.length).toBe(2);
    });

    it("shows at once where no other node has the channel", async () => {
      presence = make({ peers: asks() });
      const watcher = watching(1n);
      await settled();
      clock.advance(0);
      expect(watcher.events.length).toBe(1);
    });
  });

  it("shows the same as the truth after any sequence of changes", () => {
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    presence = make({ maxMembers: 12 });
    const sessions = Array.from({ length: 16 }, (_, i) => new Watcher(BigInt(i + 1)));
    const present = new Map<bigint, string>();
    const watchers = new Set<Watcher>();
    for (let step = 0; step < 4000; step++) {
      const one = sessions[random(sessions.length)]!;
      const { origin } = one.subscription.session;
      const action = random(5);
      if (action === 0 && !present.has(origin)) {
        one.subscription.presenceData = data(`${step}`);
        presence.join(one.subscription);
        present.set(origin, `${step}`);
      } else if (action === 1 && present.delete(origin)) {
        presence.leave(one.subscription, LeaveReason.LEFT);
        watchers.delete(one);
      } else if (action === 2 && present.has(origin)) {
        presence.update(one.subscription, data(`${step}`));
        present.set(origin, `${step}`);
      } else if (action === 3 && present.has(origin)) {
        presence.watch(one.subscription);
        watchers.add(one);
      } else if (action === 4) {
        clock.advance(random(3) * tickMs);
      }
      if (step % 20 !== 19) continue;
      clock.advance(tickMs);
      const sorted = (map: Map<bigint, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const watcher of watchers) {
        if (present.size <= 12) expect(sorted(watcher.members)).toEqual(sorted(present));
        else expect(watcher.counts).toMatchObject({ sessions: present.size });
      }
    }
  });
});
