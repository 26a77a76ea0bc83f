import { create } from "@bufbuild/protobuf";
import { Access, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { type Channel, ChannelSchema, DeliveryClass, GapReason, Outcome, type Subscribe } from "@fanfare/proto/v1";
import { resolveConfig } from "../../../config/resolved-config.ts";
import { noCapabilities } from "../../../namespace/capabilities.ts";
import { FanfareNode } from "../../../node.ts";
import { silentLog } from "../../../observe/log.ts";
import type { RouteResult } from "../../../router/router.ts";
import { until } from "../../../testing/valkey-processes.ts";
import { VirtualClock } from "../../../testing/virtual-clock.ts";
import { channelKey } from "../../../wire/channel-key.ts";
import type { Session } from "../../session.ts";
import { LateWords } from "./late-words.ts";
import { type OuterStores, turnOn } from "./outer-stores.ts";
import { type Place, ReaderModel } from "./reader-model.ts";

/** One thing that happens. `who` and `pick` choose among what there is. */
export type Step =
  | { readonly do: "publish"; readonly who: number; readonly ttlMs: number; readonly excludeSelf: boolean }
  | { readonly do: "repeat"; readonly pick: number }
  | {
      readonly do: "subscribe";
      readonly who: number;
      readonly start: "head" | "rewind" | "after" | "cursor";
      readonly pick: number;
    }
  | { readonly do: "unsubscribe" | "disconnect" | "resume" | "block" | "unblock" | "commit"; readonly who: number }
  | { readonly do: "delete"; readonly pick: number }
  /** Its subscribers are told so many steps later, as when the word of it takes longer than what is stored meanwhile. */
  | { readonly do: "clear"; readonly toldLater: number }
  | { readonly do: "wait"; readonly ms: number };

/** Readers of a run. */
export const readerCount = 3;
/** Makes messages so large that four of them fill the send queue of a reader which does not read. */
const filler = ` ${"x".repeat(9_000)}`;

/** What the channel keeps. */
const retention = { maxMessages: 8, maxAgeS: 60 };

const channel: Channel = create(ChannelSchema, { kind: { case: "group", value: "log:x" } });
const key = channelKey(channel);
const appId = "game";

interface Stored {
  readonly place: Place;
  readonly text: string;
  readonly origin: bigint;
  readonly seq: number;
  readonly excludeSelf: boolean;
  readonly expiresAtMs: number;
  deleted: boolean;
}

interface Reader {
  readonly name: string;
  session: Session;
  link: ReaderModel;
  seq: number;
  attempt: number;
  /** Everything it took, in order: offsets of one epoch follow each other, unless a gap lies between. */
  wasSubscribed: boolean;
}

/** Runs one history against a node of its own and a model of what has to come of it. */
export class HistoryRun {
  readonly faults: string[] = [];
  readonly #clock: VirtualClock;
  readonly #isOuter: boolean;
  readonly #node: FanfareNode;
  readonly #stored: Stored[] = [];
  readonly #readers: Reader[] = [];
  /** What readers took is judged when every publish is answered: some of it comes before its publisher's answer. */
  readonly #checks: (() => void)[] = [];
  readonly #lateWords = new LateWords();
  #publishes = 0;
  #clears = 0;

  /** @param outer default: stores in memory */
  constructor(outer?: OuterStores) {
    this.#clock = outer?.clock ?? new VirtualClock();
    this.#isOuter = outer !== undefined;
    const rules = {
      subscribe: Access.ANYONE,
      publish: Access.ANYONE,
      deliveryClass: DeliveryClass.DURABLE,
      maxRewind: 1000,
      retention,
    };
    const config = create(ServerConfigSchema, {
      nodeId: "n",
      apps: [
        {
          id: appId,
          playerAuth: { keys: [{ algorithm: 1, material: { case: "secret", value: "x".repeat(32) } }] },
          namespaces: [{ name: "log", rules }],
        },
      ],
      timing: { resumeWindowMs: 3_600_000 },
      limits: { sendQueueBytes: 65_536 },
    });
    this.#node = new FanfareNode({
      config: resolveConfig(config, { environment: {} }),
      clock: this.#clock,
      log: silentLog,
      ...(outer && { stores: outer.stores }),
    });
    for (let i = 0; i < readerCount; i++) this.#readers.push(this.#arrive(`r${i}`));
  }

  /** Carries the steps out, lets everything settle, and returns what is wrong. */
  async run(steps: readonly Step[]): Promise<readonly string[]> {
    const stopTurning = this.#isOuter ? turnOn(this.#clock) : () => {};
    try {
      return await this.#carryOut(steps);
    } finally {
      stopTurning();
    }
  }

  async #carryOut(steps: readonly Step[]): Promise<readonly string[]> {
    for (const step of steps) {
      await this.#step(step);
      this.#lateWords.step();
      await this.#settle(2);
    }
    this.#lateWords.tellAll();
    for (const reader of this.#readers) {
      if (reader.session.link === undefined) await this.#resume(reader);
      reader.link.unblock();
    }
    await this.#settle(40);
    if (this.#isOuter) await until(async () => (await this.#latecomers()).length === 0).catch(() => {});
    for (const check of this.#checks) check();
    this.faults.push(...(await this.#latecomers()));
    for (const { name, link } of this.#readers) this.faults.push(...link.faults.map((fault) => `${name}: ${fault}`));
    return this.faults;
  }

  get #hub() {
    const app = this.#node.apps.get(appId);
    if (app === undefined) throw new RangeError("no app");
    return app.hub;
  }

  async #step(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        return this.#publish(this.#reader(step.who), step.ttlMs, step.excludeSelf);
      case "repeat":
        return this.#repeat(step.pick);
      case "subscribe":
        return this.#subscribe(this.#reader(step.who), step.start, step.pick);
      case "unsubscribe":
        return this.#unsubscribe(this.#reader(step.who));
      case "disconnect": {
        const { session, link } = this.#reader(step.who);
        link.lose();
        return this.#hub.detach(session, link, 1006);
      }
      case "resume": {
        const reader = this.#reader(step.who);
        return reader.session.link === undefined ? this.#resume(reader) : undefined;
      }
      case "block":
        return this.#reader(step.who).link.block();
      case "unblock":
        return this.#reader(step.who).link.unblock();
      case "commit":
        return this.#commit(this.#reader(step.who));
      case "delete":
        return this.#delete(step.pick);
      case "clear":
        return this.#clear(step.toldLater);
      case "wait":
        return this.#clock.advance(step.ms);
    }
  }

  #reader(who: number): Reader {
    return this.#readers[who % this.#readers.length] as Reader;
  }

  #arrive(name: string): Reader {
    const link = this.#newLink(name);
    const credentials = {
      appId,
      playerId: name,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
      issuedAtMs: 0,
      groups: [],
      capabilities: noCapabilities,
    };
    const features = new Set(["resume", "durable", "cursor", "history"]);
    const session = this.#hub.open({ credentials, features, attempt: 1, link });
    this.#hub.attach(session, link);
    return { name, session, link, seq: 0, attempt: 1, wasSubscribed: false };
  }

  #newLink(name: string): ReaderModel {
    return new ReaderModel({
      message: (at, text) => this.#checks.push(() => this.#checkMessage(name, at, text)),
      skipped: (from, to) => {
        const nowMs = this.#clock.nowMs();
        this.#checks.push(() => this.#checkSkip(name, from, to, nowMs));
      },
      gap: (reason, from, to) => {
        const clears = this.#clears;
        this.#checks.push(() => this.#checkGap(name, reason, from, to, clears));
      },
    });
  }

  async #publish(reader: Reader, ttlMs: number, excludeSelf: boolean): Promise<void> {
    const text = `m${++this.#publishes}${filler}`;
    const seq = ++reader.seq;
    const { origin } = reader.session;
    const result = await this.#send(reader.session, seq, text, ttlMs, excludeSelf);
    if (result.outcome !== Outcome.STORED)
      return void this.faults.push(`${short(text)} was not stored: ${result.outcome}`);
    const expiresAtMs = ttlMs === 0 ? Number.POSITIVE_INFINITY : this.#clock.nowMs() + ttlMs;
    this.#stored.push({ place: result.position, text, origin, seq, excludeSelf, expiresAtMs, deleted: false });
  }

  #send(session: Session, seq: number, text: string, ttlMs: number, excludeSelf: boolean): Promise<RouteResult> {
    const { router } = this.#node.apps.get(appId)!;
    const payload = {
      $typeName: "fanfare.v1.Payload" as const,
      type: "",
      data: { case: "text" as const, value: text },
    };
    const identity = { channel, origin: session.origin, seq, from: session.playerId };
    const message = { ...identity, payload, volatile: false, conflationKey: "", ttlMs, wantReport: false };
    return new Promise((resolve) => router.publish(message, excludeSelf ? session : undefined, resolve));
  }

  /** Publishes something again under its identity: it has to be where it was, and nobody gets it twice. */
  async #repeat(pick: number): Promise<void> {
    const first = this.#stored[this.#stored.length - 1 - (pick % 4)];
    const reader = this.#readers.find(({ session }) => session.origin === first?.origin);
    if (first === undefined || reader === undefined) return;
    const result = await this.#send(reader.session, first.seq, first.text, 0, first.excludeSelf);
    // The log looks back through what it has of an origin; where an entry was deleted since, it does not see past it.
    const isHidden = this.#stored.some(
      ({ origin, seq, deleted }) => deleted && origin === first.origin && seq >= first.seq,
    );
    if (result.outcome === Outcome.UNKNOWN && (isHidden || (await this.#isGone(first.place)))) return;
    if (result.outcome !== Outcome.STORED || !result.repeated || result.position.offset !== first.place.offset) {
      this.faults.push(`the repeat of ${short(first.text)} was answered ${JSON.stringify(result)}`);
    }
  }

  /** Whether the log keeps a place no more, so that it may have forgotten who published it. */
  async #isGone({ epoch, offset }: Place): Promise<boolean> {
    const { tail } = await this.#hub.messageLog.ends({ appId, key }, this.#hub.namespaces.policyFor(channel)!);
    return tail.epoch !== epoch || tail.offset >= offset;
  }

  async #subscribe(reader: Reader, start: "head" | "rewind" | "after" | "cursor", pick: number): Promise<void> {
    const { session, link } = reader;
    if (session.link === undefined) return;
    const asked = start === "after" ? link.place : undefined;
    const subscription = this.#hub.subscriptions.open(session, channel, { presence: false, presenceData: undefined });
    this.#hub.durable.stop(subscription);
    const wish: Subscribe["start"] =
      start === "rewind"
        ? { case: "rewind", value: pick % 20 }
        : start === "after"
          ? afterOf(asked)
          : { case: start, value: true };
    const request = { channel, playerId: session.playerId, features: session.features, start: wish, isResume: false };
    const plan = await this.#hub.starts.plan(request);
    // What waits for a blocked reader was sent before the answer, and is taken before it.
    const answer = this.#hub.subscriptions.describe(subscription, plan);
    link.whenTaken(() => link.subscribed(answer, asked));
    reader.wasSubscribed = true;
    this.#hub.durable.start(subscription, plan);
  }

  #unsubscribe(reader: Reader): void {
    const { session, link } = reader;
    if (session.link === undefined || !session.subscriptions.has(key)) return;
    this.#hub.subscriptions.closeByClient(session, channel);
    reader.wasSubscribed = false;
    link.whenTaken(() => {
      link.place = undefined;
    });
  }

  async #resume(reader: Reader): Promise<void> {
    const { session, link: former } = reader;
    const { place } = former;
    const link = this.#newLink(reader.name);
    link.faults.push(...former.faults);
    const start = afterOf(place);
    const { credentials, features } = session;
    const plan = await this.#hub.starts.plan({ channel, playerId: reader.name, features, start, isResume: true });
    this.#hub.resume(session, { credentials, features, attempt: ++reader.attempt, link });
    const subscription = session.subscriptions.get(key);
    if (subscription !== undefined && place === undefined) this.#hub.subscriptions.closeByClient(session, channel);
    this.#hub.attach(session, link);
    reader.link = link;
    reader.wasSubscribed = subscription !== undefined && place !== undefined;
    if (subscription === undefined || place === undefined) return;
    link.subscribed(this.#hub.subscriptions.describe(subscription, plan), place);
    this.#hub.durable.start(subscription, plan);
  }

  async #commit({ link, name }: Reader): Promise<void> {
    if (link.place === undefined) return;
    const committed = this.#hub.cursors.commit({ appId, key }, name, link.place);
    this.#clock.advance(1_000);
    await committed;
  }

  async #delete(pick: number): Promise<void> {
    const target = this.#stored[this.#stored.length - 1 - (pick % 6)];
    if (target === undefined) return;
    const policy = this.#hub.namespaces.policyFor(channel)!;
    const verdict = await this.#hub.messageLog.deleteMessage({ appId, key }, policy, target.place);
    if (verdict === "ok") target.deleted = true;
  }

  async #clear(toldLater: number): Promise<void> {
    this.#clears++;
    this.#clock.advance(1); // a life of a log is named by its time
    const head = await this.#hub.messageLog.clear({ appId, key }, this.#hub.namespaces.policyFor(channel)!);
    this.#lateWords.add(toldLater, () => this.#hub.cleared(key, head));
  }

  #at(place: Place): Stored | undefined {
    return this.#stored.find(({ place: at }) => at.epoch === place.epoch && at.offset === place.offset);
  }

  #checkMessage(name: string, at: Place, text: string): void {
    const stored = this.#at(at);
    if (stored?.text !== text)
      this.faults.push(`${name}: got ${short(text)} at ${at.offset}, where ${short(stored?.text)} is`);
    const reader = this.#readers.find((one) => one.name === name);
    if (stored?.excludeSelf && stored.origin === reader?.session.origin)
      this.faults.push(`${name}: got its own ${short(text)}`);
  }

  /** Whatever is skipped was deleted, has expired, or is the reader's own. */
  #checkSkip(name: string, from: number, to: Place, nowMs: number): void {
    const origin = this.#readers.find((one) => one.name === name)?.session.origin;
    for (let offset = from; offset <= to.offset; offset++) {
      const stored = this.#at({ ...to, offset });
      const isOwn = stored?.excludeSelf && stored.origin === origin;
      const hasExpired = stored !== undefined && stored.expiresAtMs <= nowMs;
      if (stored === undefined || !(stored.deleted || hasExpired || isOwn)) {
        this.faults.push(`${name}: ${short(stored?.text)} at ${offset} was skipped without a reason`);
      }
    }
  }

  /** A gap is told only where something was really lost. */
  #checkGap(name: string, reason: GapReason, from: Place, to: Place, clears: number): void {
    const say = (what: string) =>
      this.faults.push(`${name}: gap ${GapReason[reason]} from ${from.offset} to ${to.offset}: ${what}`);
    if (reason === GapReason.EPOCH) {
      if (clears === 0 || to.epoch <= from.epoch) say("nothing was cleared");
    } else if (reason === GapReason.TRIMMED) {
      const first = this.#at({ ...from, offset: from.offset + 1 });
      if (to.offset <= from.offset || to.epoch !== from.epoch) say("nothing lies between");
      else if (first === undefined) say("nothing was there");
    } else say("not a reason that a log in memory has");
  }

  /** Who subscribes and does not have everything up to the head. */
  async #latecomers(): Promise<string[]> {
    const { head } = await this.#hub.messageLog.ends({ appId, key }, this.#hub.namespaces.policyFor(channel)!);
    return this.#readers.flatMap(({ name, link, session }) => {
      if (!session.subscriptions.has(key)) return [];
      const at = link.place;
      if (at?.offset === head.offset && at.epoch === head.epoch && at.tag === head.tag) return [];
      return [`${name}: ended at ${at?.epoch}/${at?.offset}, the head is ${head.epoch}/${head.offset}`];
    });
  }

  /** Lets promises and deferred calls run until nothing more comes of them. */
  async #settle(turns: number): Promise<void> {
    for (let i = 0; i < turns; i++) {
      for (let j = 0; j < 12; j++) await Promise.resolve();
      this.#clock.turn();
      if (this.#isOuter) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

function short(text = "nothing"): string {
  return text.split(" ")[0] ?? "";
}

function afterOf(place: Place | undefined): Subscribe["start"] {
  if (place === undefined) return { case: "head", value: true };
  const { epoch, offset, tag } = place;
  const value = { $typeName: "fanfare.v1.Position" as const, epoch: BigInt(epoch), offset: BigInt(offset), tag };
  return { case: "after", value };
}
