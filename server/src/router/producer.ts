/** Gives the messages of the control API their identity: one origin a run of the node, and a seq that counts all of them. */
export class Producer {
  readonly origin: bigint;
  #seq = 0;

  constructor(origin: bigint) {
    this.origin = origin;
  }

  nextSeq(): number {
    return ++this.#seq;
  }
}
