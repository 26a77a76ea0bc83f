import type { Subscription } from "./subscription.ts";

/**
 * The subscriptions of one channel, as an array that a fan-out walks. Joining and leaving cost the same however many there are.
 *
 * While a fan-out is cut into slices it holds a snapshot: the array is then copied before its next change, so that nobody is
 * skipped or served twice because another one left.
 */
export class Subscribers {
  #list: Subscription[] = [];
  #snapshots = 0;

  get size(): number {
    return this.#list.length;
  }

  [Symbol.iterator](): IterableIterator<Subscription> {
    return this.#list.values();
  }

  /** The array itself. The caller must not keep it past the current turn; see `hold`. */
  get list(): readonly Subscription[] {
    return this.#list;
  }

  /** The array, unchanged until `release` is called with it. */
  hold(): readonly Subscription[] {
    this.#snapshots++;
    return this.#list;
  }

  /** Gives back what `hold` returned. */
  release(list: readonly Subscription[]): void {
    if (list === this.#list) this.#snapshots--;
  }

  add(subscription: Subscription): void {
    this.#ownList();
    subscription.index = this.#list.length;
    this.#list.push(subscription);
  }

  remove(subscription: Subscription): void {
    this.#ownList();
    const last = this.#list.pop();
    if (last === undefined || last === subscription) return;
    this.#list[subscription.index] = last;
    last.index = subscription.index;
  }

  #ownList(): void {
    if (this.#snapshots === 0) return;
    this.#list = this.#list.slice();
    this.#snapshots = 0;
  }
}
