import type { Clock } from "../../clock.ts";
import type { RandomBytes } from "../../random.ts";
import type { Random } from "../random.ts";
import type { Simulation } from "./simulation.ts";

/** What a {@link SimulatedProcess} is made of. */
export interface SimulatedProcessOptions {
  readonly simulation: Simulation;
  /** Different from that of every other process, and of every other run of the same program. */
  readonly name: string;
  /** Told what the program throws where nobody catches it. */
  readonly onThrown: (reason: unknown) => void;
  /** How far its wall clock is off, in milliseconds. Default: 0. */
  readonly skewMs?: number;
}

/** Wall clock at the beginning of every run. */
export const epochMs = 1_700_000_000_000;

/** How long a turn of the event loop takes at most, in milliseconds. */
const maxTurnMs = 0.3;
/** How late timers are at most, in milliseconds. */
const maxLatenessMs = 1;

/**
 * A program that runs in a simulation: it has a clock and chance of its own, and everything that reaches it comes through `run`, so that it can
 * be stopped, woken up and killed.
 *
 * | state | what reaches it | left by |
 * |---|---|---|
 * | running | happens | `freeze` -> frozen; `kill` -> dead |
 * | frozen | waits, in its order | `thaw` -> running; `kill` -> dead |
 * | dead | is lost | - |
 */
export class SimulatedProcess {
  readonly name: string;
  readonly simulation: Simulation;
  readonly clock: Clock;
  readonly random: Random;
  #state: "running" | "frozen" | "dead" = "running";
  #held: { readonly callback: () => void; readonly source: unknown }[] = [];
  #pendingTimers = 0;
  #thawedMs = Number.NEGATIVE_INFINITY;
  readonly #onThrown: (reason: unknown) => void;

  constructor({ simulation, name, onThrown, skewMs = 0 }: SimulatedProcessOptions) {
    this.simulation = simulation;
    this.name = name;
    this.random = simulation.random(name);
    this.#onThrown = onThrown;
    const lateness = simulation.random(`${name} lateness`);
    const beganMs = simulation.nowMs;
    this.clock = {
      nowMs: () => epochMs + skewMs + simulation.nowMs,
      monotonicMs: () => simulation.nowMs - beganMs,
      setTimer: (delayMs, callback) => this.#setTimer(delayMs + lateness.between(0, maxLatenessMs), callback),
      defer: (callback) => {
        simulation.after(lateness.between(0, maxTurnMs), () => this.run(callback));
      },
    };
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** When it went on the last time: what comes to it at that moment came before. */
  get thawedMs(): number {
    return this.#thawedMs;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  /** Timers that are set. */
  get pendingTimers(): number {
    return this.#pendingTimers;
  }

  /** Bytes of its own chance, as nodes take them. */
  readonly randomBytes: RandomBytes = (length) => this.random.bytes(length);

  /**
   * Has something happen in the program: now, when it has woken up, or never.
   * @param source what it comes from, for instance a connection: a program that wakes up reads one source after the other, in the order in
   *   which they had something first. Default: a source of its own
   */
  run(callback: () => void, source: unknown = callback): void {
    if (this.#state === "frozen") this.#held.push({ callback, source });
    if (this.#state !== "running") return;
    try {
      callback();
    } catch (reason) {
      this.#onThrown(reason);
    }
  }

  /** It stands still, as by SIGSTOP. */
  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  /** It goes on, with what has waited. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    this.#thawedMs = this.simulation.nowMs;
    const bySource = Map.groupBy(this.#held, ({ source }) => source);
    this.#held = [];
    for (const held of bySource.values()) {
      for (const { callback, source } of held) this.simulation.after(0, () => this.run(callback, source));
    }
  }

  /** It ends at once, as by SIGKILL. */
  kill(): void {
    this.#state = "dead";
    this.#held = [];
  }

  #setTimer(delayMs: number, callback: () => void) {
    let isPending = true;
    this.#pendingTimers++;
    const over = (): boolean => {
      const wasPending = isPending;
      if (wasPending) this.#pendingTimers--;
      isPending = false;
      return wasPending;
    };
    const event = this.simulation.after(delayMs, () =>
      this.run(() => {
        if (over()) callback();
      }),
    );
    return {
      cancel: () => {
        if (over()) event.cancel();
      },
    };
  }
}
