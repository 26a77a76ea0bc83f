import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";

/** Which page of a list is asked for. */
export interface PageRequest {
  /** 0: 100. */
  readonly pageSize: number;
  /** Empty: the first page. */
  readonly pageToken: string;
}

/** One page of a list in the order of its keys. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty: this is the last page. */
  readonly nextPageToken: string;
}

const DEFAULT_SIZE = 100;

/**
 * One page of what `keyOf` orders. A token names the last key of its page, so what comes and goes between two pages neither repeats nor
 * hides anything else. One walk over the items, without sorting all of them.
 * @param list names the list, so that a token of another one is refused
 * @throws FanfareError INVALID_ARGUMENT with the field `page_token`
 */
export function pageOf<T>(
  list: string,
  items: Iterable<T>,
  keyOf: (item: T) => string,
  { pageSize, pageToken }: PageRequest,
): Page<T> {
  const size = pageSize || DEFAULT_SIZE;
  const after = pageToken === "" ? undefined : readToken(list, pageToken);
  const nearest = new Nearest<T>(size + 1);
  for (const item of items) {
    const key = keyOf(item);
    if (after === undefined || key > after) nearest.add(key, item);
  }
  const found = nearest.sorted();
  const page = found.slice(0, size);
  const last = page.at(-1);
  const hasMore = found.length > size && last !== undefined;
  return { items: page.map(({ item }) => item), nextPageToken: hasMore ? writeToken(list, last.key) : "" };
}

interface Entry<T> {
  readonly key: string;
  readonly item: T;
}

/** Keeps the first `count` entries by key. */
class Nearest<T> {
  readonly #count: number;
  #entries: Entry<T>[] = [];
  /** Nothing at or past this key is among the first. */
  #limit: string | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  add(key: string, item: T): void {
    if (this.#limit !== undefined && key >= this.#limit) return;
    this.#entries.push({ key, item });
    if (this.#entries.length >= 2 * this.#count) this.#trim();
  }

  sorted(): readonly Entry<T>[] {
    this.#trim();
    return this.#entries;
  }

  #trim(): void {
    this.#entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    if (this.#entries.length <= this.#count) return;
    this.#limit = this.#entries[this.#count]?.key;
    this.#entries.length = this.#count;
  }
}

function writeToken(list: string, key: string): string {
  return Buffer.from(`${list}\n${key}`).toString("base64url");
}

function readToken(list: string, token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (text.startsWith(`${list}\n`) && writeToken(list, text.slice(list.length + 1)) === token) {
    return text.slice(list.length + 1);
  }
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "the page token is not one that this list gave", {
    field: "page_token",
  });
}
