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
    const cursors = this.#key(appId, playerId);
    const reply = await this.#connections.send(["HGET", cursors.key, key], cursors.tag);
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
    const cursors = this.#key(appId, playerId);
    const call = this.#connections.functionCall("commit_cursor", [cursors.key], args);
    const reply = await this.#connections.send(call, cursors.tag);
    if (reply !== null) return parseCursor(String(reply));
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a player has at most ${maxCursorsOfPlayer} cursors`);
  }

  async erasePlayer(appId: string, playerId: string): Promise<void> {
    const cursors = this.#key(appId, playerId);
    await this.#connections.send(["UNLINK", cursors.key], cursors.tag);
  }

  #key(appId: string, playerId: string): { tag: string; key: string } {
    return cursorsKey(this.#connections.keyPrefix, appId, playerId);
  }
}

function parseCursor(value: string): LogPosition {
  const [epoch, offset, tag] = value.split(" ").map(Number);
  return { epoch: epoch as number, offset: offset as number, tag: tag as number };
}
