import type { ChannelState } from "../channel-state.ts";

/** Comparisons under way at the same time. */
const atOnce = 64;

/**
 * Channels whose log is looked at again, because word of what it stores may have been lost: a few at a time, each once however often it is
 * asked for. Bounded by the channels that have subscriptions.
 */
export class HeadChecks {
  readonly #check: (state: ChannelState) => Promise<void>;
  readonly #waiting = new Set<ChannelState>();
  readonly #underWay = new Map<ChannelState, { again: boolean }>();

  /** @param check never rejects */
  constructor(check: (state: ChannelState) => Promise<void>) {
    this.#check = check;
  }

  add(state: ChannelState): void {
    const underWay = this.#underWay.get(state);
    if (underWay !== undefined) underWay.again = true;
    else {
      this.#waiting.add(state);
      this.#next();
    }
  }

  #next(): void {
    for (const state of this.#waiting) {
      if (this.#underWay.size >= atOnce) return;
      this.#waiting.delete(state);
      const entry = { again: false };
      this.#underWay.set(state, entry);
      void this.#check(state).finally(() => {
        this.#underWay.delete(state);
        if (entry.again) this.#waiting.add(state);
        this.#next();
      });
    }
  }
}
