import type { SortedSet } from "./sorted-set.ts";
import type { Stream } from "./stream.ts";

/** What a key can hold. */
export type Value = string | Map<string, string> | Stream | SortedSet;

/** What a key holds, and until when. */
export interface Entry {
  readonly value: Value;
  /** By the wall clock, in milliseconds; undefined: never. */
  expiresAtMs: number | undefined;
}

/** A command that changes something, as replicas carry it out too. */
export type Effect = readonly string[];

/** What a server needs of its surroundings to carry commands out. */
export interface DatabaseOptions {
  /** The server's wall clock, in milliseconds. */
  readonly nowMs: () => number;
  /** Told what was changed; also what has expired, as a `DEL`. */
  readonly onEffect: (effect: Effect) => void;
}

/** The keys of a server. */
export class Database {
  readonly #options: DatabaseOptions;
  #entries = new Map<string, Entry>();
  /** What comes from the primary is carried out as it comes, and nothing expires by itself. */
  isReplica = false;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  get nowMs(): number {
    return this.#options.nowMs();
  }

  get keys(): Iterable<string> {
    return this.#entries.keys();
  }

  /** The value of a key that has not expired. */
  get(key: string): Value | undefined {
    return this.#entry(key)?.value;
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined;
  }

  /** Sets a key; without a word it never expires. */
  set(key: string, value: Value, expiresAtMs?: number): void {
    this.#entries.set(key, { value, expiresAtMs });
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    return this.has(key) && this.#entries.delete(key);
  }

  /** @returns whether the key is there */
  setExpiry(key: string, expiresAtMs: number | undefined): boolean {
    const entry = this.#entry(key);
    if (entry === undefined) return false;
    entry.expiresAtMs = expiresAtMs;
    return true;
  }

  /** Undefined: it never expires, or is not there. */
  expiryOf(key: string): number | undefined {
    return this.#entry(key)?.expiresAtMs;
  }

  /** Tells that a command has changed something. */
  changed(...effect: string[]): void {
    this.#options.onEffect(effect);
  }

  /** Takes a copy of everything that another has. */
  copyFrom(other: Database): void {
    this.#entries = new Map(
      [...other.#entries].map(([key, { value, expiresAtMs }]) => [key, { value: copyOf(value), expiresAtMs }]),
    );
  }

  /** A copy of what a key holds now. */
  copyOf(key: string): Entry | undefined {
    const entry = this.#entry(key);
    return entry && { value: copyOf(entry.value), expiresAtMs: entry.expiresAtMs };
  }

  /** Forgets a key that has gone elsewhere. */
  remove(key: string): void {
    this.#entries.delete(key);
  }

  /** Takes a key over from elsewhere. */
  put(key: string, { value, expiresAtMs }: Entry): void {
    this.#entries.set(key, { value: copyOf(value), expiresAtMs });
  }

  #entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.expiresAtMs === undefined || entry.expiresAtMs > this.nowMs) return entry;
    if (this.isReplica) return entry;
    this.#entries.delete(key);
    this.changed("DEL", key);
    return undefined;
  }
}

function copyOf(value: Value): Value {
  if (typeof value === "string") return value;
  if (value instanceof Map) return new Map(value);
  return value.clone();
}
