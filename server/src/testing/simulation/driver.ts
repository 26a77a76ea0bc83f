import type { Simulation } from "./simulation.ts";

/** Lets virtual time pass while something outside of the simulation waits for what happens in it. */
export class Driver {
  readonly #simulation: Simulation;
  #waiting = 0;
  #isRunning = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Settles as the promise does, which waits for virtual time. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    this.#waiting++;
    void this.#run();
    try {
      return await promise;
    } finally {
      this.#waiting--;
    }
  }

  /** The same for every method of an object that returns a promise. */
  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const result: unknown = Reflect.apply(value, target, args);
          return result instanceof Promise ? this.settle(result) : result;
        };
      },
    });
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting > 0) await this.#simulation.runUntil(this.#simulation.nowMs + 1000, () => this.#waiting === 0);
    this.#isRunning = false;
  }
}
