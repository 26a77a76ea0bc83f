import type { Random } from "../random.ts";
import type { Simulation } from "./simulation.ts";

/** One direction of a connection: what is sent arrives in its order, after a while. */
export class Wire {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #baseMs: number;
  readonly #jitterMs: number;
  #lastMs = 0;

  /** @param baseMs the least latency; it varies by as much as `jitterMs` */
  constructor(simulation: Simulation, random: Random, baseMs: number, jitterMs: number) {
    this.#simulation = simulation;
    this.#random = random;
    this.#baseMs = baseMs;
    this.#jitterMs = jitterMs;
  }

  latencyMs(): number {
    return this.#baseMs + this.#random.between(0, this.#jitterMs);
  }

  /** @param laterMs beside the latency */
  send(arrive: () => void, laterMs = 0): void {
    this.#lastMs = Math.max(this.#lastMs, this.#simulation.nowMs + this.latencyMs() + laterMs);
    this.#simulation.at(this.#lastMs, arrive);
  }
}
