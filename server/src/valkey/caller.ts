import { type RandomBytes, randomTag } from "../random.ts";

/** Numbers what one client of Valkey's functions changes, so that they can tell what comes a second time, or late: see `lua/once.ts`. */
export class Caller {
  readonly #id: string;
  #number = 0;

  constructor(random: RandomBytes) {
    // Short, so that what remembers one caller leaves a small hash a small hash.
    this.#id = randomTag(random).toString(16);
  }

  /** The arguments that name the next change; in the order in which they are taken, changes of one key have to be called. */
  next(): [caller: string, number: string] {
    return [this.#id, String(++this.#number)];
  }
}
