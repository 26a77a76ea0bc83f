import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { CaseFailure } from "./failure.ts";
import { matches, mismatch, shown } from "./match.ts";

/** Something that was received. */
export interface Item {
  readonly json: JsonObject;
  /** Counts everything that any actor of the case received. */
  readonly order: number;
  readonly atMs: number;
  taken: boolean;
}

/** What to take. */
export interface Wish {
  readonly patterns: readonly JsonObject[];
  readonly anyOrder?: boolean;
  readonly times?: number;
  readonly never?: readonly JsonObject[];
  readonly withinMs: number;
  /** What came before the last of them still counts as new for the next `never`. */
  readonly keepsPlace?: boolean;
}

/** Other cases on the same server broadcast too. */
const broadcast = { message: { channel: { broadcast: true } } };

/** What was received and not taken by a step yet, in its order. Bounded: a peer that floods the runner fails the case. */
export class Inbox {
  readonly items: Item[] = [];
  /** Index behind the last item that was taken. */
  #cursor = 0;
  #ended: string | undefined;
  #waiting: (() => void)[] = [];
  readonly #nextOrder: () => number;
  static readonly maxItems = 50_000;

  constructor(nextOrder: () => number) {
    this.#nextOrder = nextOrder;
  }

  add(json: JsonObject): Item {
    if (this.items.length >= Inbox.maxItems) throw new CaseFailure(`more than ${Inbox.maxItems} frames came`);
    const item = { json, order: this.#nextOrder(), atMs: performance.now(), taken: false };
    this.items.push(item);
    this.wake();
    return item;
  }

  /** Nothing comes any more. */
  end(reason: string): void {
    this.#ended ??= reason;
    this.wake();
  }

  /** Looks again at what is waited for. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one();
  }

  /**
   * Takes items that match, which have come or come in time.
   * @throws CaseFailure saying what was missing and what came instead
   */
  async take(wish: Wish): Promise<Item[]> {
    const patterns = wish.patterns.flatMap((pattern) => Array.from({ length: wish.times || 1 }, () => pattern));
    const from = this.#cursor;
    const deadlineMs = performance.now() + wish.withinMs;
    const found = new Map<number, number>();
    let looked = 0;
    for (;;) {
      // Each item is looked at once, however many come.
      for (; found.size < patterns.length && looked < this.items.length; looked++) {
        const item = this.items[looked] as Item;
        if (item.taken) continue;
        const next = this.#wanted(patterns, found, item, wish.anyOrder ?? false);
        if (next !== undefined) found.set(next, looked);
        if (looked < from) continue;
        for (const pattern of wish.never ?? []) {
          if (matches(pattern, item.json)) throw new CaseFailure(`there came ${shown(item.json)}`);
        }
      }
      if (found.size === patterns.length) {
        const place = this.#cursor;
        const items = this.#takeAt(patterns.map((_, i) => found.get(i) ?? 0));
        if (wish.keepsPlace) this.#cursor = place;
        return items;
      }
      const reason =
        this.#ended ?? (performance.now() >= deadlineMs ? `in ${Math.round(wish.withinMs)} ms` : undefined);
      if (reason !== undefined) throw new CaseFailure(this.#missing(patterns, wish.anyOrder ?? false, reason));
      await this.changed(deadlineMs);
    }
  }

  /** Fails if an item that no step took matches one of the patterns. Without patterns: any but `ping`, and what other cases broadcast. */
  refuse(patterns: readonly JsonObject[], until = this.items.length): void {
    for (const { json, taken } of this.items.slice(0, until)) {
      if (taken) continue;
      const isRefused =
        patterns.length === 0
          ? !("ping" in json) && !matches(broadcast, json)
          : patterns.some((one) => matches(one, json));
      if (isRefused) throw new CaseFailure(`there came ${shown(json)}, which must not`);
    }
  }

  /** Settles after the next change, or at the deadline. What comes in one turn of the loop is one change: a burst is not looked through for each item. */
  async changed(deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    const timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
    await promise;
    clearTimeout(timer);
    await nextTurn();
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Which of the patterns that are not found yet an item is for. */
  #wanted(
    patterns: readonly JsonObject[],
    found: ReadonlyMap<number, number>,
    { json }: Item,
    anyOrder: boolean,
  ): number | undefined {
    if (!anyOrder) return matches(patterns[found.size] ?? {}, json) ? found.size : undefined;
    const index = patterns.findIndex((pattern, i) => !found.has(i) && matches(pattern, json));
    return index === -1 ? undefined : index;
  }

  #find(patterns: readonly JsonObject[], anyOrder: boolean): number[] | undefined {
    const found: number[] = [];
    let from = 0;
    for (const pattern of patterns) {
      const index = this.items.findIndex(
        (item, i) => i >= from && !item.taken && !found.includes(i) && matches(pattern, item.json),
      );
      if (index === -1) return undefined;
      found.push(index);
      if (!anyOrder) from = index + 1;
    }
    return found;
  }

  #takeAt(indexes: readonly number[]): Item[] {
    const items = indexes.map((i) => this.items[i] as Item);
    for (const item of items) item.taken = true;
    this.#cursor = Math.max(this.#cursor, ...indexes.map((i) => i + 1));
    return items;
  }

  #missing(patterns: readonly JsonObject[], anyOrder: boolean, reason: string): string {
    const missing = patterns.findIndex((_, i) => this.#find(patterns.slice(0, i + 1), anyOrder) === undefined);
    const pattern = patterns[missing] ?? {};
    const untaken = this.items.filter((item) => !item.taken && !("ping" in item.json));
    const near = untaken.find((item) => Object.keys(pattern).every((key) => key === "id" || key in item.json));
    const count = patterns.length > 1 ? ` (${missing + 1} of ${patterns.length})` : "";
    const why = near === undefined ? "" : `; the nearest: ${mismatch(pattern, near.json)}`;
    const came =
      untaken.length === 0 ? "nothing came" : `there came ${shown(untaken.slice(-5).map(({ json }) => json))}`;
    return `waited ${reason} for ${shown(pattern)}${count}; ${came}${why}`;
  }
}
