import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { type CursorStore, cursorLifetimeMs, maxCursorsOfPlayer } from "../cursor-store.ts";
import type { LogPosition } from "../log-position.ts";
import type { LogChannel } from "../message-log.ts";
import type { LogConnections } from "./log-connections.ts";
import { cursorsKey } from "./log-keys.ts";

/** Cursors in Valkey: one hash a player. The connections are not closed with it. */
export class ValkeyCursorStore implements CursorStore {
  readonly #connections: LogConnections;

  constructor(connections: LogConnections) {
    this.#connections = connections;
  }

  async get({ appId, key }: LogChannel, playerId: string): Promise<LogPosition | undefined> {
    const reply = await this.#connections.send(["HGET", this.#key(appId, playerId), key]);
    return reply === null ? undefined : parseCursor(String(reply));
  }

  async commit({ appId, key }: LogChannel, playerId: string, to: LogPosition, dead?: number): Promise<LogPosition> {
    const args = [
      key,
      String(to.epoch),
      String(to.offset),
      String(to.tag),
      String(dead ?? ""),
      String(maxCursorsOfPlayer),
      String(cursorLifetimeMs),
    ];
    const call = this.#connections.functionCall("commit_cursor", [this.#key(appId, playerId)], args);
    const reply = await this.#connections.send(call);
    if (reply !== null) return parseCursor(String(reply));
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a player has at most ${maxCursorsOfPlayer} cursors`);
  }

  async erasePlayer(appId: string, playerId: string): Promise<void> {
    await this.#connections.send(["UNLINK", this.#key(appId, playerId)]);
  }

  #key(appId: string, playerId: string): string {
    return cursorsKey(this.#connections.keyPrefix, appId, playerId);
  }
}

function parseCursor(value: string): LogPosition {
  const [epoch, offset, tag] = value.split(" ").map(Number);
  return { epoch: epoch as number, offset: offset as number, tag: tag as number };
}
