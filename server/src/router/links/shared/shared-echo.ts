/** After which time what has not come back is taken for lost, in milliseconds. */
const forgottenMs = 10_000;

/** What this node has published to all, itself among them, and has not heard itself: it may wait for it in Valkey. */
export class SharedEcho {
  #unheard: { readonly number: number; readonly bytes: number; readonly atMs: number }[] = [];
  #bytes = 0;
  #lastNumber = 0;

  /** @returns the number of what is published next */
  get nextNumber(): number {
    return this.#lastNumber + 1;
  }

  published(bytes: number, nowMs: number): void {
    this.#unheard.push({ number: ++this.#lastNumber, bytes, atMs: nowMs });
    this.#bytes += bytes;
  }

  /** It has come back. What was published before has, too, or never will. */
  heard(number: number): void {
    this.#drop((one) => one.number <= number);
  }

  /** What may wait. */
  unheardBytes(nowMs: number): number {
    this.#drop(({ atMs }) => atMs + forgottenMs <= nowMs);
    return this.#bytes;
  }

  #drop(isOver: (one: { readonly number: number; readonly atMs: number }) => boolean): void {
    const kept = this.#unheard.findIndex((one) => !isOver(one));
    const over = this.#unheard.splice(0, kept < 0 ? this.#unheard.length : kept);
    for (const { bytes } of over) this.#bytes -= bytes;
  }
}
