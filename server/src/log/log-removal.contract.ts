import { describe, expect, it } from "vitest";
import { appendOf, filled, newChannel, outline, page, policyWith, readOf, stored } from "../testing/log-under-test.ts";
import type { LogPosition } from "./log-position.ts";
import type { MessageLog } from "./message-log.ts";

/** The part of the contract of {@link MessageLog} that is about deleting, clearing and erasing. */
export function describeLogRemoval(log: () => MessageLog): void {
  describe("delete", () => {
    it("leaves a skip whose tags fit, wherever it is", async () => {
      const channel = newChannel();
      const positions = await filled(log(), channel, 7);
      for (const offset of [1, 3, 4, 7]) {
        expect(await log().deleteMessage(channel, policyWith(), positions[offset - 1] as LogPosition)).toBe("ok");
      }
      const { items, next } = await page(log(), channel);
      expect(outline(items)).toBe("1-1d 2 3-4d 5 6 7-7d");
      expect(next).toEqual(positions[6]);
      let previousTag = 0;
      for (const item of items) {
        expect(item.previousTag).toBe(previousTag);
        previousTag = item.tag;
      }
      expect(outline((await page(log(), channel, { direction: "backward" })).items)).toBe("6 5 2");
    });

    it("still verifies positions at deleted messages", async () => {
      const channel = newChannel();
      const positions = await filled(log(), channel, 6);
      for (const position of positions.slice(1, 4)) await log().deleteMessage(channel, policyWith(), position);
      for (const [i, position] of positions.entries()) {
        const rest = ["2-4d 5 6", "3-4d 5 6", "4-4d 5 6", "5 6", "6", ""][i];
        expect(outline((await page(log(), channel, { from: position })).items)).toBe(rest);
        const from = { ...position, tag: position.tag ^ 1 };
        expect(await readOf(log(), channel, { from })).toMatchObject({ verdict: "forked" });
      }
    });

    it("goes on behind a deleted head, and is trimmed like any other", async () => {
      const channel = newChannel();
      const policy = policyWith({ maxMessages: 3 });
      const positions = await filled(log(), channel, 3, { policy });
      for (const position of positions) await log().deleteMessage(channel, policy, position);
      expect(outline((await page(log(), channel, { policy })).items)).toBe("1-3d");
      const next = await stored(log(), appendOf(channel, 4, { policy }));
      expect(next).toMatchObject({ position: { offset: 4 }, previousTag: positions[2]?.tag });
      for (let seq = 5; seq <= 8; seq++) await stored(log(), appendOf(channel, seq, { policy }));
      expect(outline((await page(log(), channel, { policy })).items)).toBe("6 7 8");
    });

    it("again is no error, and of another message tells what is wrong", async () => {
      const channel = newChannel();
      const policy = policyWith({ maxMessages: 2 });
      const positions = await filled(log(), channel, 4, { policy });
      const remove = (position: LogPosition) => log().deleteMessage(channel, policy, position);
      const third = positions[2] as LogPosition;
      expect(await remove({ ...third, tag: third.tag ^ 1 })).toBe("forked");
      expect(await remove({ ...third, epoch: third.epoch - 1 })).toBe("other-epoch");
      expect(await remove({ ...third, offset: 9 })).toBe("forked");
      expect(await remove(positions[0] as LogPosition)).toBe("trimmed");
      expect(await remove(third)).toBe("ok");
      expect(await remove(third)).toBe("ok");
      expect(outline((await page(log(), channel, { policy })).items)).toBe("3-3d 4");
    });
  });

  describe("clear and erase", () => {
    it("clear begins a higher epoch and remembers identities", async () => {
      const channel = newChannel();
      const positions = await filled(log(), channel, 3);
      const head = await log().clear(channel, policyWith());
      expect(head).toEqual({ epoch: expect.any(Number), offset: 0, tag: 0 });
      expect(head.epoch).toBeGreaterThan(positions[0]?.epoch ?? 0);
      expect(await log().ends(channel, policyWith())).toEqual({ head, tail: head });
      expect(await readOf(log(), channel, { from: positions[2] })).toMatchObject({ verdict: "other-epoch" });
      expect(await stored(log(), appendOf(channel, 3))).toMatchObject({ repeated: true, position: positions[2] });
      expect(await stored(log(), appendOf(channel, 4))).toMatchObject({
        repeated: false,
        position: { epoch: head.epoch, offset: 1 },
      });
    });

    it("erase forgets the channel", async () => {
      const channel = newChannel();
      const [position] = await filled(log(), channel, 1);
      await log().erase(channel);
      const { head } = await log().ends(channel, policyWith());
      expect(head).toMatchObject({ offset: 0, tag: 0 });
      expect(head.epoch).toBeGreaterThan(position?.epoch ?? 0);
      expect((await stored(log(), appendOf(channel, 1))).repeated).toBe(false);
    });
  });
}
