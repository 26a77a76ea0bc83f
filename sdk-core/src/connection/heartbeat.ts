import { sleptMs } from "../deadline.ts";
import type { Clock, TimerHandle } from "../ports.ts";

/** What a {@link Heartbeat} does. */
export interface HeartbeatActions {
  /** Send a ping. */
  ping(): void;
  /** Nothing was received for interval + timeout. */
  silent(): void;
}

/**
 * Notices that a connection is dead. It pings every interval, and after interval + timeout without anything received the
 * connection counts as silent. When the clock has jumped, as after sleep, silence proves nothing yet: what was received
 * meanwhile gets read first, and the server is asked once more.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #actions: HeartbeatActions;
  #intervalMs = 0;
  #timeoutMs = 0;
  #receivedAt = 0;
  #pingedAt = 0;
  #dueAt = 0;
  /** Set while a doubt is being checked: nothing received until then is silence. */
  #lastChanceAt: number | undefined;
  #timer: TimerHandle;

  constructor(clock: Clock, actions: HeartbeatActions) {
    this.#clock = clock;
    this.#actions = actions;
  }

  start(intervalMs: number, timeoutMs: number): void {
    if (intervalMs === 0) return;
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.received();
    this.#ping();
    this.#arm();
  }

  /** Something came, whatever it was. */
  received(): void {
    this.#receivedAt = this.#clock.now();
    this.#lastChanceAt = undefined;
  }

  /** The connection may be dead: asks, and takes silence for the timeout as an answer. */
  probe(): void {
    if (this.#intervalMs === 0 || this.#lastChanceAt !== undefined) return;
    this.#lastChanceAt = this.#clock.now() + this.#timeoutMs;
    this.#ping();
    this.#arm();
  }

  stop(): void {
    this.#intervalMs = 0;
    this.#clock.clearTimer(this.#timer);
  }

  #ping(): void {
    this.#pingedAt = this.#clock.now();
    this.#actions.ping();
  }

  #arm(): void {
    this.#clock.clearTimer(this.#timer);
    const silentAt = this.#receivedAt + this.#intervalMs + this.#timeoutMs;
    this.#dueAt = this.#lastChanceAt ?? Math.min(silentAt, this.#pingedAt + this.#intervalMs);
    this.#timer = this.#clock.setTimer(Math.max(this.#dueAt - this.#clock.now(), 0), () => this.#tick());
  }

  #tick(): void {
    if (this.#intervalMs === 0) return;
    const now = this.#clock.now();
    const late = now - this.#dueAt > sleptMs;
    if (this.#lastChanceAt !== undefined && now >= this.#lastChanceAt && !late) return this.#actions.silent();
    if (this.#lastChanceAt !== undefined && late) this.#lastChanceAt = undefined;
    if (this.#lastChanceAt === undefined && now - this.#receivedAt >= this.#intervalMs + this.#timeoutMs) {
      if (late) return this.probe();
      // One more turn of the event loop, in which a socket that has data delivers it.
      this.#lastChanceAt = now;
    } else if (now - this.#pingedAt >= this.#intervalMs) {
      this.#ping();
    }
    this.#arm();
  }
}
