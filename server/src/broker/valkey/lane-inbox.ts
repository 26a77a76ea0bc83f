import type { Clock, Timer } from "../../clock.ts";
import type { Log } from "../../observe/log.ts";
import type { ValkeySubscriber } from "../../valkey/valkey-client.ts";
import { type LaneFault, LaneState } from "./lane-state.ts";

/** What a {@link LaneInbox} is made of. */
export interface LaneInboxOptions {
  readonly lanes: number;
  /** How long nothing may be heard on a lane before it is probed, in milliseconds. Default: half of `probeMs`, for all. */
  readonly silenceMs?: (lane: number) => number;
  /** What a lane is called in the log. Default: its number. */
  readonly nameOf?: (lane: number) => string;
  readonly clock: Clock;
  readonly log: Log;
  /** Connects a listener to the wanted lanes. */
  readonly subscribe: (
    isWanted: (lane: number) => boolean,
    onBytes: (lane: number, bytes: Uint8Array) => void,
    isFirst: boolean,
  ) => Promise<ValkeySubscriber>;
  /** Publishes to this inbox. @returns receivers, or less than 0 when the server refused */
  readonly publish: (lane: number, bytes: Uint8Array) => Promise<number>;
  /** The shard of a lane. */
  readonly shardOf: (lane: number) => string;
  /** Whether a shard does not answer: no subscriber can be blamed, and a fresh one would wait for it with all of its lanes. */
  readonly isFailing: (shard: string) => boolean;
  /** What came, probes left out. */
  readonly onBytes: (bytes: Uint8Array, lane: number) => void;
  /** Something has changed in what is up and down. */
  readonly onChanged: () => void;
  /** Time between two probes of a lane, in milliseconds. Default: 1000. */
  readonly probeMs?: number;
  /** The same for a lane that is down, in milliseconds. Default: 250. */
  readonly downProbeMs?: number;
  /** How long a probe may take, in milliseconds. Default: 400. */
  readonly probeTimeoutMs?: number;
  /** How long publishing may work without arriving before the subscriber is replaced, in milliseconds. Default: 500. */
  readonly replaceAfterMs?: number;
}

/** What an inbox counts. */
export interface LaneCounts {
  /** Sent to oneself. */
  readonly probes: number;
  /** Of them, those that did not arrive in time. */
  readonly probesLost: number;
  /** Times that a lane stopped working. */
  readonly failures: number;
  /** Times that the subscriber was replaced. */
  readonly replacements: number;
  /** Times that it was to be, and could not. */
  readonly replacementsFailed: number;
}

/** Least time between two replacements, in milliseconds. */
const replaceIntervalMs = 1000;
/** Attempts side by side: one that began before a topology changed may hang. */
const maxAttempts = 3;
/** How long a replaced subscriber stays at most, in milliseconds; it goes as soon as the next one hears what it hears. */
const overlapMs = 10_000;
/** For how long after a move a lane is taken for deaf at once, in milliseconds. */
const movedLifeMs = 5000;
/** How long a start waits for all lanes, in milliseconds. */
const settleMs = 2000;
/** First byte of a probe; no batch of a link begins with it. */
const probeByte = 0;

/**
 * Listens on all lanes, and knows which of them work: each is probed by a message to oneself, unless something came through it. A subscriber
 * that has lost subscriptions gets them back late (18 s after a failover), so it is replaced by a fresh one, and stays until that one
 * hears everything; what comes twice is no harm.
 */
export class LaneInbox {
  readonly #options: LaneInboxOptions;
  readonly #lanes: readonly LaneState[];
  #current: { readonly subscriber: ValkeySubscriber; readonly number: number } | undefined;
  /** Those that were replaced and still listen. */
  #leaving: { readonly subscriber: ValkeySubscriber; readonly sinceMs: number }[] = [];
  #subscribers = 0;
  #replacedAtMs = Number.NEGATIVE_INFINITY;
  #attempts = 0;
  #probes = 0;
  #timer: Timer | undefined;
  #tickAtMs = 0;
  #closed = false;
  readonly #counts = { probes: 0, probesLost: 0, failures: 0, replacements: 0, replacementsFailed: 0 };

  constructor(options: LaneInboxOptions) {
    this.#options = options;
    const nowMs = options.clock.monotonicMs();
    this.#lanes = Array.from({ length: options.lanes }, () => new LaneState(nowMs));
  }

  get counts(): LaneCounts {
    return { ...this.#counts };
  }

  /** Whether each lane works, and since when. */
  get lanes(): readonly Pick<LaneState, "isUp" | "sinceMs">[] {
    return this.#lanes;
  }

  /** Subscribes, and waits until all lanes that can be reached work. @throws what subscribing throws */
  async open(): Promise<void> {
    const first = await this.#subscribe();
    if (this.#closed) return first.subscriber.close();
    if (this.#current === undefined) this.#current = first;
    else first.subscriber.close(); // one that began later was faster, and knows more of the topology
    this.#tick();
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + settleMs;
    while (!this.#closed && this.#lanes.some(({ isUp }) => !isUp) && clock.monotonicMs() < untilMs) {
      await new Promise<void>((resolve) => clock.setTimer(10, resolve));
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#current?.subscriber.close();
    for (const { subscriber } of this.#leaving.splice(0)) subscriber.close();
  }

  /** The shards of lanes have changed: they are probed, and a subscriber that is deaf there is replaced at once. */
  topologyChanged(isMoved: (lane: number) => boolean): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [lane, state] of this.#lanes.entries()) if (isMoved(lane)) state.movedAtMs = nowMs;
    if (this.#lanes.some(({ isUp }, lane) => !isUp && isMoved(lane))) void this.#replace("have moved");
    this.#tick(isMoved);
  }

  async #subscribe(): Promise<{ subscriber: ValkeySubscriber; number: number }> {
    const number = this.#subscribers++;
    const { subscribe, isFailing, shardOf } = this.#options;
    const onBytes = (lane: number, bytes: Uint8Array) => this.#received(number, lane, bytes);
    return { number, subscriber: await subscribe((lane) => !isFailing(shardOf(lane)), onBytes, number === 0) };
  }

  #received(by: number, lane: number, bytes: Uint8Array): void {
    if (this.#closed) return;
    const { clock, onBytes } = this.#options;
    const state = this.#lanes[lane];
    const wasDown = state?.heard(by, clock.monotonicMs());
    if (wasDown) this.#tell([lane]);
    if (bytes[0] !== probeByte) onBytes(bytes, lane);
  }

  /** Probes what has not been heard of for long, and looks whether a subscriber has to be replaced or can go. */
  #tick(isProbed: (lane: number) => boolean = () => false): void {
    if (this.#closed) return;
    const { clock, probeMs = 1000, silenceMs = () => probeMs / 2 } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const [lane, state] of this.#lanes.entries()) {
      const isHeard = state.heardBy === this.#current?.number && nowMs - state.heardAtMs < silenceMs(lane);
      const isFresh = state.isUp && isHeard;
      if (!isFresh || isProbed(lane)) this.#probe(lane, state);
    }
    this.#replaceIfDeaf();
    this.#closeLeaving();
    this.#schedule();
  }

  /** The next tick comes when its time has come; sooner if a lane is down. */
  #schedule(): void {
    const { clock, probeMs = 1000, downProbeMs = 250 } = this.#options;
    const isAllUp = this.#lanes.every(({ isUp }) => isUp);
    this.#tickAtMs = clock.monotonicMs() + (isAllUp ? probeMs : downProbeMs);
    this.#arm();
  }

  /** One timer for the next tick and for the probe that is overdue first. */
  #arm(): void {
    const { clock } = this.#options;
    const atMs = Math.min(this.#tickAtMs, ...this.#lanes.map(({ overdueAtMs }) => overdueAtMs));
    this.#timer?.cancel();
    this.#timer = clock.setTimer(atMs - clock.monotonicMs(), () => this.#wake());
  }

  #wake(): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const overdue = [...this.#lanes.entries()].filter(([, { overdueAtMs }]) => overdueAtMs <= nowMs);
    const probes = overdue.map(([lane, state]) => [lane, state.probe] as const);
    for (const [, state] of overdue) state.overdueAtMs = Number.POSITIVE_INFINITY;
    // What has arrived while the process stood still is read before it counts as lost.
    if (probes.length > 0) clock.defer(() => clock.defer(() => this.#giveUp(probes)));
    if (nowMs >= this.#tickAtMs) this.#tick();
    else this.#arm();
  }

  #giveUp(probes: readonly (readonly [lane: number, probe: number | undefined])[]): void {
    for (const [lane, probe] of probes) if (probe !== undefined) this.#lost(lane, probe, "silent");
  }

  #probe(lane: number, state: LaneState): void {
    if (state.probe !== undefined) return;
    const { clock, publish, probeTimeoutMs = 400 } = this.#options;
    const probe = ++this.#probes;
    state.probe = probe;
    state.overdueAtMs = clock.monotonicMs() + probeTimeoutMs;
    this.#counts.probes++;
    publish(lane, Uint8Array.of(probeByte)).then(
      (receivers) => {
        if (receivers > 0) this.#delivered(lane, probe);
        else if (receivers === 0) this.#failed(lane, (nowMs) => state.receivedByNobody(probe, nowMs));
        else this.#lost(lane, probe, "unreachable");
      },
      () => this.#lost(lane, probe, "unreachable"),
    );
  }

  #delivered(lane: number, probe: number): void {
    const isBack = this.#lanes[lane]?.received(probe, this.#options.clock.monotonicMs());
    if (isBack && !this.#closed) this.#tell([lane]);
  }

  #lost(lane: number, probe: number, fault: LaneFault): void {
    const state = this.#lanes[lane] as LaneState;
    if (state.probe === probe) this.#failed(lane, (nowMs) => state.lost(probe, fault, nowMs));
  }

  #failed(lane: number, note: (nowMs: number) => boolean): void {
    if (this.#closed) return;
    const wasUp = this.#lanes[lane]?.isUp;
    const isNews = note(this.#options.clock.monotonicMs());
    this.#counts.probesLost++;
    if (wasUp && isNews) this.#counts.failures++;
    if (isNews) {
      this.#tell([lane]);
      this.#schedule();
    }
    this.#replaceIfDeaf();
  }

  #replaceIfDeaf(): void {
    const { clock, isFailing, shardOf } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#attempts > 0) return;
    const isPaced = nowMs - this.#replacedAtMs < replaceIntervalMs;
    const isDeaf = (state: LaneState, lane: number) =>
      this.#isDeaf(state, nowMs) && !isFailing(shardOf(lane)) && (!isPaced || state.movedAtMs > this.#replacedAtMs);
    if (this.#lanes.some(isDeaf)) void this.#replace("did not come back");
  }

  /** A subscription that has to move is given no time: it comes back too late, if at all. */
  #isDeaf({ deafSinceMs, movedAtMs }: LaneState, nowMs: number): boolean {
    const { replaceAfterMs = 500 } = this.#options;
    if (deafSinceMs === undefined) return false;
    return nowMs - deafSinceMs >= replaceAfterMs || nowMs - movedAtMs < movedLifeMs;
  }

  /** Of attempts side by side the one that began last counts: it knows most of the topology. */
  async #replace(why: string): Promise<void> {
    if (this.#closed || this.#attempts >= maxAttempts) return;
    this.#attempts++;
    const { clock, log, nameOf = String } = this.#options;
    const down = [...this.#lanes.keys()].filter((lane) => !this.#lanes[lane]?.isUp);
    const lanes = down.map((lane) => nameOf(lane)).join(" ");
    try {
      const fresh = await this.#subscribe();
      if (this.#closed || fresh.number < (this.#current?.number ?? 0)) return fresh.subscriber.close();
      if (this.#current) this.#leaving.push({ subscriber: this.#current.subscriber, sinceMs: clock.monotonicMs() });
      this.#current = fresh;
      this.#counts.replacements++;
      log.warn(`valkey subscriber replaced, because lanes ${why}`, { lanes });
      for (const state of this.#lanes) if (!state.isUp) state.forgetProbe();
      this.#tick(() => true);
    } catch (reason) {
      this.#counts.replacementsFailed++;
      log.warn("valkey subscriber could not be replaced", { reason: String(reason) });
    } finally {
      this.#replacedAtMs = clock.monotonicMs();
      this.#attempts--;
    }
  }

  #closeLeaving(): void {
    if (this.#leaving.length === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    const isHeard = this.#lanes.every(({ isUp, heardBy }) => !isUp || heardBy === this.#current?.number);
    this.#leaving = this.#leaving.filter(({ subscriber, sinceMs }) => {
      if (!isHeard && nowMs - sinceMs < overlapMs) return true;
      subscriber.close();
      return false;
    });
  }

  /** Lanes that have come or gone, to be told together at the end of the turn. */
  readonly #changed = new Set<number>();

  #tell(lanes: readonly number[]): void {
    if (this.#changed.size === 0) this.#options.clock.defer(() => this.#logChanges());
    for (const lane of lanes) this.#changed.add(lane);
  }

  #logChanges(): void {
    const { log, shardOf, onChanged, nameOf = String } = this.#options;
    const changed = [...this.#changed];
    this.#changed.clear();
    const groups = Map.groupBy(changed, (lane) => `${shardOf(lane)} ${this.#lanes[lane]?.fault ?? ""}`);
    for (const lanes of groups.values()) {
      const [lane] = lanes as [number];
      const { isUp, fault } = this.#lanes[lane] as LaneState;
      const fields = { shard: shardOf(lane), lanes: lanes.map((one) => nameOf(one)).join(" ") };
      if (isUp) log.info("lanes work", fields);
      else log.warn("lanes do not work", { ...fields, fault });
    }
    onChanged();
  }
}
