/** How long and how many identities a channel remembers. */
export interface RepeatWindow {
  /** At least this long after its last append an identity is remembered, in milliseconds, unless ... */
  readonly windowMs: number;
  /** ... at least this many other origins and keys have appended to the channel since. */
  readonly maxIdentities: number;
  /** How many appends of one origin are looked back through, for one that is older than its newest. */
  readonly maxLookBack: number;
}

/** The window of both implementations. */
export const repeatWindow: RepeatWindow = { windowMs: 10 * 60_000, maxIdentities: 2048, maxLookBack: 256 };

/**
 * A table of two generations. When the current one is full or old, it becomes the former one, and the former one is forgotten; so an entry
 * is remembered for at least one window, or one full generation, after it was last set, and at most two generations are kept.
 */
export class IdentityTable<Value> {
  readonly #window: RepeatWindow;
  #current = new Map<string, Value>();
  #former = new Map<string, Value>();
  #beganAtMs: number;

  constructor(window: RepeatWindow, nowMs: number) {
    this.#window = window;
    this.#beganAtMs = nowMs;
  }

  get(key: string): Value | undefined {
    return this.#current.get(key) ?? this.#former.get(key);
  }

  set(key: string, value: Value, nowMs: number): void {
    const isOld = nowMs - this.#beganAtMs >= this.#window.windowMs;
    if (isOld || this.#current.size >= this.#window.maxIdentities) {
      this.#former = this.#current;
      this.#current = new Map();
      this.#beganAtMs = nowMs;
    }
    this.#current.set(key, value);
  }
}
