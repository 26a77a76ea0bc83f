import type { Clock, Timer } from "../../clock.ts";

/** A timer that goes off this much too late says that the process stood still, in milliseconds. */
const standstillMs = 30;
/** How long what has arrived during a standstill has to be read, in milliseconds. */
const graceMs = 10;

/** What an {@link Alarm} is told about its caller. */
export interface AlarmOptions {
  /**
   * What it watches is something that others do. After a standstill of the process it goes off a little later, so that what has arrived in the
   * meantime is read first, and nobody is blamed who was in time. Default: false.
   */
  readonly isPatient?: boolean;
}

/** A timer for the earliest of moments that keep changing: setting it again costs nothing, as long as the moment is a later one. */
export class Alarm {
  readonly #clock: Clock;
  readonly #onDue: (nowMs: number) => void;
  readonly #isPatient: boolean;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #timerMs = Number.POSITIVE_INFINITY;
  #isGraced = false;

  constructor(clock: Clock, onDue: (nowMs: number) => void, { isPatient = false }: AlarmOptions = {}) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#isPatient = isPatient;
  }

  /** When it goes off, by the monotonic clock; Infinity: never. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Goes off then, and at no other time. Infinity: never, and no timer is left. */
  set(dueMs: number): void {
    this.#dueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) this.#stop();
    else if (dueMs < this.#timerMs) this.#start(dueMs, this.#clock.monotonicMs());
  }

  #start(atMs: number, nowMs: number): void {
    this.#stop();
    this.#timerMs = atMs;
    this.#timer = this.#clock.setTimer(Math.max(0, atMs - nowMs), () => this.#ring());
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    const nowMs = this.#clock.monotonicMs();
    const isLate = nowMs - this.#timerMs > standstillMs;
    this.#stop();
    const hadGrace = this.#isGraced;
    this.#isGraced = false;
    if (nowMs < this.#dueMs) return this.#start(this.#dueMs, nowMs);
    if (this.#isPatient && isLate && !hadGrace) {
      this.#isGraced = true;
      return this.#start(nowMs + graceMs, nowMs);
    }
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#onDue(nowMs);
  }
}
