import { ExpiringTable } from "./expiring-table.ts";

/** How much a {@link PlayerTable} remembers. */
export interface PlayerTableOptions {
  /** Entries of all apps together, of which each app has an equal share, so that none leaves the others without. Default: 100,000. */
  readonly maxEntries?: number;
  /** How many apps there are now. Default: 1. */
  readonly apps?: () => number;
  /** What is remembered here is a copy, and its oldest entries may go. Default: an entry too many is refused, because it would be nowhere. */
  readonly isCopy?: boolean;
}

const defaultMaxEntries = 100_000;

/** What is remembered of players, until it expires. */
export class PlayerTable<Value> {
  readonly #nowMs: () => number;
  readonly #maxEntries: number;
  readonly #apps: () => number;
  readonly #isCopy: boolean;
  readonly #tables = new Map<string, ExpiringTable<Value>>();

  constructor(
    nowMs: () => number,
    { maxEntries = defaultMaxEntries, apps = () => 1, isCopy = false }: PlayerTableOptions = {},
  ) {
    this.#nowMs = nowMs;
    this.#maxEntries = maxEntries;
    this.#apps = apps;
    this.#isCopy = isCopy;
  }

  /** How many entries an app may have now. */
  get share(): number {
    return Math.max(1, Math.floor(this.#maxEntries / Math.max(1, this.#apps())));
  }

  /** Sets an entry; false, and nothing is set, if the app's share is used up. `expiresAtMs` may be infinite. */
  set(appId: string, playerId: string, value: Value, expiresAtMs: number): boolean {
    const table = this.#tables.get(appId) ?? new ExpiringTable<Value>(() => this.share, this.#nowMs);
    this.#tables.set(appId, table);
    if (this.#isCopy) while (!table.hasRoomFor(playerId)) table.deleteOldest();
    return table.set(playerId, value, expiresAtMs);
  }

  /** The value that has not expired. */
  get(appId: string, playerId: string): Value | undefined {
    return this.#tables.get(appId)?.get(playerId);
  }

  /** Removes an entry; tells whether there was one that had not expired. */
  delete(appId: string, playerId: string): boolean {
    const table = this.#tables.get(appId);
    const existed = table?.delete(playerId) === true;
    if (table?.size === 0) this.#tables.delete(appId);
    return existed;
  }

  /** Entries of an app, also expired ones that nobody has asked for. */
  sizeOf(appId: string): number {
    return this.#tables.get(appId)?.size ?? 0;
  }
}
