import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { Log } from "../observe/log.ts";
import { type FetchedKey, readKeySet } from "./json-web-keys.ts";
import type { FetchKeySet } from "./key-set-fetch.ts";

/** What a {@link KeySet} needs. */
export interface KeySetOptions {
  /** From the configuration, never from a token. */
  url: string;
  clock: Pick<Clock, "monotonicMs" | "setTimer">;
  fetch: FetchKeySet;
  log: Log;
}

/** The least time between two fetches, in milliseconds. */
const PAUSE_MS = 30_000;
/** The age from which on a key set is fetched anew behind the scenes, so that a key that was withdrawn stops working. */
const STALE_MS = 300_000;
const TIMEOUT_MS = 5_000;

/**
 * The keys at one address. Fetched when a key id is not known and again when five minutes old, at most once in 30 s, by one fetch at a
 * time; a fetch that fails leaves the keys as they were.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  #keys: ReadonlyMap<string, FetchedKey> = new Map();
  #fetching: Promise<void> | undefined;
  #lastAttemptMs = Number.NEGATIVE_INFINITY;
  #failed = false;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /**
   * The key of this id; undefined if the set, fetched after the question came up, does not have it.
   * @throws FanfareError UNAVAILABLE if that is not known now: the address cannot be reached, or was asked less than 30 s ago
   */
  async find(id: string): Promise<FetchedKey | undefined> {
    const known = this.#keys.get(id);
    const age = this.#options.clock.monotonicMs() - this.#lastAttemptMs;
    if (known !== undefined) {
      if (age >= STALE_MS) void this.#refresh();
      return known;
    }
    if (this.#fetching === undefined && age < PAUSE_MS) throw unavailable(PAUSE_MS - age);
    await this.#refresh();
    const found = this.#keys.get(id);
    if (found === undefined && this.#failed) throw unavailable(PAUSE_MS);
    return found;
  }

  #refresh(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const { url, clock, fetch, log } = this.#options;
    this.#lastAttemptMs = clock.monotonicMs();
    const abort = new AbortController();
    const timer = clock.setTimer(TIMEOUT_MS, () => abort.abort(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    try {
      this.#keys = readKeySet(JSON.parse(await fetch(url, abort.signal)));
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      log.warn("a key set could not be fetched; its former keys stay in use", { url, error, keys: this.#keys.size });
    } finally {
      timer.cancel();
    }
  }
}

function unavailable(retryAfterMs: number): FanfareError {
  return new FanfareError(
    ErrorCode.UNAVAILABLE,
    "the app's key set is out of reach, and the token's key not known yet",
    {
      retryAfterMs,
    },
  );
}
