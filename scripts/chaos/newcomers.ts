/** Something that a newcomer waited for, with or without success. */
export interface Timed {
  readonly atMs: number;
  readonly tookMs: number;
}

/** How often somebody new comes, in milliseconds. */
const everyMs = 100;
/** Newcomers at once: who connects while a third of the nodes stands still waits for up to 30 s. */
const mostAtOnce = 256;

/**
 * Players who connect, join and go. One comes at every beat, whether or not those before have got through: if each waited for another, few would
 * come while there is a fault, and most of the figures would be of the time after it.
 */
export class Newcomers {
  /** Who could not connect or join. */
  failed = 0;
  /** Who was due while there were too many at once, and has not come. */
  heldBack = 0;
  readonly #visit: (number: number, dueMs: number) => Promise<void>;
  readonly #inside = new Set<Promise<void>>();
  #count = 0;

  /** @param visit what the newcomer of this number does, due at this time by the monotonic clock; fails if it does not get through */
  constructor(visit: (number: number, dueMs: number) => Promise<void>) {
    this.#visit = visit;
  }

  /** Somebody new is due. */
  due(dueMs: number): void {
    if (this.#inside.size >= mostAtOnce) {
      this.heldBack++;
      return;
    }
    const visit: Promise<void> = this.#visit(this.#count++, dueMs)
      .catch(() => {
        this.failed++;
      })
      .finally(() => this.#inside.delete(visit));
    this.#inside.add(visit);
  }

  /** They come for as long as it is open, and it settles when the last has gone. Who was due while the process was busy comes late, and counts from when it was due. */
  async come(isOpen: () => boolean): Promise<void> {
    for (let dueMs = performance.now(); isOpen(); dueMs += everyMs) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.due(dueMs);
    }
    await Promise.all(this.#inside);
  }
}

/** Notes how long it took, if it fails as well. */
export async function timed<Result>(
  notes: Timed[],
  wait: Promise<Result>,
  atMs: number = performance.now(),
): Promise<Result> {
  return await wait.finally(() => notes.push({ atMs, tookMs: performance.now() - atMs }));
}
