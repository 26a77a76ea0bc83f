import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Pong, ServerFrameSchema } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { heartbeat } from "./heartbeat.ts";
import type { SendQueue } from "./send-queue.ts";

/** What a heartbeat needs of its connection. */
export interface HeartbeatTimerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How long the send queue may make no progress, in milliseconds. */
  readonly maxStallMs: number;
  readonly queue: SendQueue;
  readonly ping: (frame: MessageInitShape<typeof ServerFrameSchema>) => void;
  readonly dead: () => void;
  readonly stalled: () => void;
}

/** Pings have the upper half of the ids, so that none is that of a call which waits (FF-FR-016). */
const firstPingId = 0x8000_0000;
const lastPingId = 0xffff_ffff;

/** Timers that are later than this were held up by a process that stood still (stopped, or out of processor time), in milliseconds. */
const tolerableLatenessMs = 50;

/** Keeps one open connection's heartbeat, measures its round trip, and notices a send queue that makes no progress. */
export class HeartbeatTimer {
  readonly #options: HeartbeatTimerOptions;
  #timer: Timer | undefined;
  #stopped = false;
  #lastReceivedMs: number;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  /** The same as that ping tells it. */
  #lastSentAtUs = 0n;
  /** When the next look was due. */
  #dueMs: number;
  /** How long the process stood still while the queue made no progress. */
  #forgivenMs = 0;
  /** The ping that waits for its pong; 0: none. */
  #waitingId = 0;
  #nextId = firstPingId;
  /** The newest round trip in microseconds; 0: none yet. */
  roundTripUs = 0;

  constructor(options: HeartbeatTimerOptions) {
    this.#options = options;
    this.#lastReceivedMs = options.clock.monotonicMs();
    this.#dueMs = this.#lastReceivedMs;
    this.#look();
  }

  /** Something came from the client. */
  received(): void {
    this.#lastReceivedMs = this.#options.clock.monotonicMs();
  }

  /** Takes the answer to a ping. One that nobody waits for is ignored. */
  pong(id: number, pong: Pong): void {
    if (id !== this.#waitingId) return;
    this.#waitingId = 0;
    // A pong can claim anything; only what is possible is believed.
    if (pong.pingSentAtUs !== this.#lastSentAtUs) return;
    // Not by the wall clock, which may have been set meanwhile.
    const elapsedUs = (this.#options.clock.monotonicMs() - this.#lastPingMs) * 1000;
    const heldUs = Math.max(0, Number(pong.sentAtUs) - Number(pong.receivedAtUs));
    this.roundTripUs = Math.max(1, Math.round(elapsedUs - heldUs));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /**
   * Looks at the traffic. Time in which this process stood still says nothing about the peer: it could not be heard, and was not pinged.
   * What is late by that much is not held against it.
   */
  #look(): void {
    if (this.#stopped) return;
    const { clock, queue, intervalMs, timeoutMs, maxStallMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const stoodStillMs = nowMs - this.#dueMs > tolerableLatenessMs ? nowMs - this.#dueMs : 0;
    this.#forgivenMs += stoodStillMs;
    this.#lastReceivedMs += Math.min(stoodStillMs, nowMs - this.#lastReceivedMs);
    const traffic = {
      lastReceivedMs: this.#lastReceivedMs,
      lastSentMs: queue.lastWriteMs,
      lastPingMs: this.#lastPingMs,
    };
    const verdict = heartbeat(nowMs, traffic, { intervalMs, timeoutMs });
    if (verdict.action === "dead") return this.#options.dead();
    const stalledMs = this.#stalledMs(nowMs);
    if (stalledMs >= maxStallMs) return this.#options.stalled();
    if (verdict.action === "ping") this.#ping(nowMs);
    this.#dueMs = Math.max(nowMs + 1, Math.min(verdict.checkAtMs, nowMs + maxStallMs - stalledMs));
    this.#timer = clock.setTimer(this.#dueMs - nowMs, () => this.#look());
  }

  /** How long the queue has made no progress, without what is forgiven. */
  #stalledMs(nowMs: number): number {
    const stalledMs = this.#options.queue.stalledMs(nowMs);
    if (stalledMs === 0) this.#forgivenMs = 0;
    return Math.max(0, stalledMs - this.#forgivenMs);
  }

  #ping(nowMs: number): void {
    this.#lastPingMs = nowMs;
    const sentAtUs = BigInt(Math.round(this.#options.clock.nowMs() * 1000));
    this.#lastSentAtUs = sentAtUs;
    this.#waitingId = this.#nextId;
    this.#nextId = this.#nextId === lastPingId ? firstPingId : this.#nextId + 1;
    this.#options.ping({ id: this.#waitingId, kind: { case: "ping", value: { sentAtUs } } });
  }
}
