/** Words that a node is told some steps after what they are of, as when others overtake them. */
export class LateWords {
  #words: { steps: number; readonly tell: () => void }[] = [];

  /** @param steps 0: it is told within this step */
  add(steps: number, tell: () => void): void {
    this.#words.push({ steps, tell });
  }

  /** A step is over: what is due is told. */
  step(): void {
    const words = this.#words;
    this.#words = words.filter(({ steps }) => steps > 0);
    for (const word of words) if (word.steps-- === 0) word.tell();
  }

  /** Nothing is late any more. */
  tellAll(): void {
    for (const { tell } of this.#words.splice(0)) tell();
  }
}
