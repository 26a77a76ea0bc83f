import { availableParallelism } from "node:os";

/** Places of one core; run_config.proto says how many of them a case takes. */
const slotsOfCore = 8;

/** The places of a machine, given to those who ask in the order of their asking. */
export class Slots {
  readonly #count: number;
  #taken = 0;
  #waiting: { readonly weight: number; readonly begin: () => void }[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Runs a task as soon as so many places are free; all of them if there are fewer. */
  async use<T>(weight: number, task: () => Promise<T>): Promise<T> {
    const own = Math.min(weight, this.#count);
    await new Promise<void>((begin) => {
      this.#waiting.push({ weight: own, begin });
      this.#next();
    });
    try {
      return await task();
    } finally {
      this.#taken -= own;
      this.#next();
    }
  }

  /** Runs a task while no other one does. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return this.use(this.#count, task);
  }

  /** Nobody is overtaken, so that who needs many places gets them. */
  #next(): void {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      if (this.#taken + first.weight > this.#count) return;
      this.#waiting.shift();
      this.#taken += first.weight;
      first.begin();
    }
  }
}

/** The places of this machine. */
export function machineSlots(): Slots {
  return new Slots(slotsOfCore * availableParallelism());
}
