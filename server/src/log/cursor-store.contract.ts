import { ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { newChannel } from "../testing/log-under-test.ts";
import { type CursorStore, maxCursorsOfPlayer } from "./cursor-store.ts";
import type { LogPosition } from "./log-position.ts";
import type { LogChannel } from "./message-log.ts";

/** The contract of {@link CursorStore}. */
export function describeCursorStore(store: () => CursorStore): void {
  describe("cursors", () => {
    const at = (epoch: number, offset: number): LogPosition => ({ epoch, offset, tag: offset * 3 });

    it("are none until one is committed, and only go forward", async () => {
      const cursors = store();
      const channel = newChannel();
      expect(await cursors.get(channel, "ann")).toBeUndefined();
      expect(await cursors.commit(channel, "ann", at(5, 10))).toEqual(at(5, 10));
      expect(await cursors.commit(channel, "ann", at(5, 7))).toEqual(at(5, 10));
      expect(await cursors.commit(channel, "ann", at(4, 99))).toEqual(at(5, 10));
      expect(await cursors.commit(channel, "ann", at(6, 1))).toEqual(at(6, 1));
      expect(await cursors.get(channel, "ann")).toEqual(at(6, 1));
      expect(await cursors.get(channel, "bob")).toBeUndefined();
      expect(await cursors.get(newChannel(), "ann")).toBeUndefined();
      expect(await cursors.get({ ...channel, appId: "other" }, "ann")).toBeUndefined();
    });

    it("of an epoch that is known to be gone give way to a lower one", async () => {
      const cursors = store();
      const channel = newChannel();
      await cursors.commit(channel, "ann", at(9, 1));
      expect(await cursors.commit(channel, "ann", at(8, 2), 9)).toEqual(at(8, 2));
    });

    it("are bounded for each player, and erased with the player", async () => {
      const cursors = store();
      const channels = Array.from({ length: maxCursorsOfPlayer }, () => newChannel());
      await Promise.all(channels.map((channel) => cursors.commit(channel, "many", at(1, 1))));
      const refused = cursors.commit(newChannel(), "many", at(1, 1));
      await expect(refused).rejects.toMatchObject({ code: ErrorCode.LIMIT_EXCEEDED });
      expect(await cursors.commit(channels[0] as LogChannel, "many", at(1, 2))).toEqual(at(1, 2));
      await cursors.erasePlayer("game", "many");
      expect(await cursors.get(channels[0] as LogChannel, "many")).toBeUndefined();
    });
  });
}
