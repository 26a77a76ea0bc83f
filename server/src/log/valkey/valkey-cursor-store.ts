import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { lineOf } from "../../valkey/reply-mark.ts";
import type { Reply } from "../../valkey/valkey-client.ts";
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
    const call = this.#connections.functionCall("cursor", [cursors.key], [key]);
    return parseCursor(await this.#connections.read(call, cursors.tag));
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
    // It goes forward only.
    const cursor = parseCursor(await this.#connections.change(cursors.tag, call, true));
    if (cursor !== undefined) return cursor;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a player has at most ${maxCursorsOfPlayer} cursors`);
  }

  async erasePlayer(appId: string, playerId: string): Promise<void> {
    const cursors = this.#key(appId, playerId);
    await this.#connections.erase(cursors.tag, [cursors.key]);
  }

  #key(appId: string, playerId: string): { tag: string; key: string } {
    return cursorsKey(this.#connections.keyPrefix, appId, playerId);
  }
}

function parseCursor(reply: Reply): LogPosition | undefined {
  const [verdict, , ...cursor] = lineOf(reply);
  const [epoch, offset, tag] = cursor.map(Number);
  return verdict === "ok" ? { epoch: epoch as number, offset: offset as number, tag: tag as number } : undefined;
}
