import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { ChannelKey } from "../../wire/channel-key.ts";
import { type CursorStore, cursorLifetimeMs, maxCursorsOfPlayer, movesForward } from "../cursor-store.ts";
import type { LogPosition } from "../log-position.ts";
import type { LogChannel } from "../message-log.ts";

interface PlayerCursors {
  readonly cursors: Map<ChannelKey, LogPosition>;
  committedAtMs: number;
}

/** The embedded cursors: in memory. Past `maxPlayers` (100,000) the player that has not committed for the longest time is forgotten. */
export class MemoryCursorStore implements CursorStore {
  readonly #clock: Clock;
  readonly #maxPlayers: number;
  /** Those who committed last come last. */
  readonly #players = new Map<string, PlayerCursors>();

  constructor(clock: Clock, maxPlayers = 100_000) {
    this.#clock = clock;
    this.#maxPlayers = maxPlayers;
  }

  async get({ appId, key }: LogChannel, playerId: string): Promise<LogPosition | undefined> {
    return this.#cursorsOf(nameOf(appId, playerId))?.cursors.get(key);
  }

  async commit({ appId, key }: LogChannel, playerId: string, to: LogPosition, dead?: number): Promise<LogPosition> {
    const name = nameOf(appId, playerId);
    const player = this.#cursorsOf(name) ?? { cursors: new Map(), committedAtMs: 0 };
    const from = player.cursors.get(key);
    if (from === undefined && player.cursors.size >= maxCursorsOfPlayer) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a player has at most ${maxCursorsOfPlayer} cursors`);
    }
    if (movesForward(from, to, dead)) player.cursors.set(key, to);
    player.committedAtMs = this.#clock.nowMs();
    this.#players.delete(name);
    const [oldest] = this.#players.keys();
    if (this.#players.size >= this.#maxPlayers && oldest !== undefined) this.#players.delete(oldest);
    this.#players.set(name, player);
    return player.cursors.get(key) ?? to;
  }

  async erasePlayer(appId: string, playerId: string): Promise<void> {
    this.#players.delete(nameOf(appId, playerId));
  }

  #cursorsOf(name: string): PlayerCursors | undefined {
    const player = this.#players.get(name);
    if (player === undefined || this.#clock.nowMs() - player.committedAtMs < cursorLifetimeMs) return player;
    this.#players.delete(name);
    return undefined;
  }
}

function nameOf(appId: string, playerId: string): string {
  return `${appId}/${playerId}`;
}
