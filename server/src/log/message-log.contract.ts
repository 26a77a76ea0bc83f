import { ErrorCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  appendOf,
  filled,
  type LogUnderTest,
  newChannel,
  outline,
  page,
  policyWith,
  readOf,
  stored,
} from "../testing/log-under-test.ts";
import { describeCursorStore } from "./cursor-store.contract.ts";
import type { LogPosition } from "./log-position.ts";
import { describeLogRemoval } from "./log-removal.contract.ts";
import type { AppendRequest, LogChannel, LogMessage, MessageLog } from "./message-log.ts";

/** The contract of {@link MessageLog}, and of the cursors beside it. */
export function describeMessageLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`message log: ${name}`, () => {
    let under: LogUnderTest;
    let log: MessageLog;

    beforeAll(async () => {
      under = await open();
      log = under.log;
    }, 60_000);
    afterAll(async () => await under?.[Symbol.asyncDispose]());

    const fill = (channel: LogChannel, count: number, changes: Partial<AppendRequest> = {}) =>
      filled(log, channel, count, changes);

    describe("an empty log", () => {
      it("has a position, the same at every look", async () => {
        const channel = newChannel();
        const { head, tail } = await log.ends(channel, policyWith());
        expect(head).toEqual({ epoch: expect.any(Number), offset: 0, tag: 0 });
        expect(head.epoch).toBeGreaterThan(0);
        expect(tail).toEqual(head);
        expect(await log.ends(channel, policyWith())).toEqual({ head, tail });
        const forward = await page(log, channel, { from: head });
        expect(forward).toEqual({ verdict: "ok", head, tail, items: [], next: head, atEnd: true });
        expect((await page(log, channel, { direction: "backward" })).items).toEqual([]);
      });

      it("goes on from the position it had", async () => {
        const channel = newChannel();
        const { head } = await log.ends(channel, policyWith());
        const [first] = await fill(channel, 1);
        expect(first).toEqual({ epoch: head.epoch, offset: 1, tag: expect.any(Number) });
        expect(outline((await page(log, channel, { from: head })).items)).toBe("1");
      });

      it("keeps its position when age has emptied it", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxAgeS: 0.3 });
        const positions = await fill(channel, 3, { policy });
        await under.elapse(400);
        const ends = await log.ends(channel, policy);
        expect(ends).toEqual({ head: positions[2], tail: positions[2] });
        expect(await readOf(log, channel, { policy, from: positions[1] })).toMatchObject({ verdict: "trimmed" });
        expect(await page(log, channel, { policy, from: positions[2] })).toMatchObject({ items: [], atEnd: true });
        const next = await stored(log, appendOf(channel, 4, { policy }));
        expect(next).toMatchObject({
          position: { epoch: positions[2]?.epoch, offset: 4 },
          previousTag: positions[2]?.tag,
        });
        expect(outline((await page(log, channel, { policy, from: positions[2] })).items)).toBe("4");
      });
    });

    describe("append", () => {
      it("counts offsets without holes and chains the tags", async () => {
        const channel = newChannel();
        const positions = await fill(channel, 20);
        expect(positions.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
        const { items } = await page(log, channel);
        let previousTag = 0;
        for (const [i, item] of (items as LogMessage[]).entries()) {
          expect(item).toMatchObject({ kind: "message", offset: i + 1, previousTag, tag: positions[i]?.tag });
          expect(item.tag).toBeGreaterThan(0);
          previousTag = item.tag;
        }
        expect(new Set(positions.map(({ tag }) => tag)).size).toBe(20);
      });

      it("gives back what it was given, byte by byte", async () => {
        const channel = newChannel();
        const body = Uint8Array.from({ length: 256 }, (_, i) => i);
        const expiresAtMs = Math.trunc(under.nowMs()) + 3_600_000;
        const seq = Number.MAX_SAFE_INTEGER;
        await stored(log, appendOf(channel, seq, { body, origin: 2n ** 64n - 1n, expiresAtMs, excludeSelf: true }));
        await stored(log, appendOf(channel, 1, { body: new Uint8Array(), origin: 1n }));
        const { items } = await page(log, channel);
        expect(items).toHaveLength(2);
        expect(items[0]).toMatchObject({ origin: 2n ** 64n - 1n, seq, expiresAtMs, excludeSelf: true });
        expect(Buffer.compare((items[0] as LogMessage).body, body)).toBe(0);
        expect(items[1]).toMatchObject({ origin: 1n, seq: 1, expiresAtMs: 0, excludeSelf: false });
        expect((items[1] as LogMessage).body).toHaveLength(0);
      });

      it("keeps the order of the calls for each origin, with many channels and origins at once", async () => {
        const channels = Array.from({ length: 5 }, () => newChannel());
        const appends = Array.from({ length: 60 }, (_, seq) =>
          channels.flatMap((channel) => [1n, 2n].map((origin) => stored(log, appendOf(channel, seq + 1, { origin })))),
        );
        await Promise.all(appends.flat());
        for (const channel of channels) {
          const { items } = await page(log, channel);
          const messages = items as LogMessage[];
          expect(messages).toHaveLength(120);
          for (const origin of [1n, 2n]) {
            const seqs = messages.filter((one) => one.origin === origin).map(({ seq }) => seq);
            expect(seqs).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
          }
        }
      });

      it("keeps apps apart", async () => {
        const { key } = newChannel();
        await fill({ appId: "one", key }, 2);
        expect((await log.ends({ appId: "two", key }, policyWith())).head.offset).toBe(0);
      });
    });

    describe("repeats", () => {
      it("are stored once and answered with the first position and body", async () => {
        const channel = newChannel();
        const first = await stored(log, appendOf(channel, 7));
        expect(first.repeated).toBe(false);
        const again = await stored(log, appendOf(channel, 7, { body: Buffer.from("another encoding") }));
        expect(again).toMatchObject({ position: first.position, previousTag: 0, repeated: true });
        expect(String(again.body)).toBe("message 7");
        expect((await log.ends(channel, policyWith())).head.offset).toBe(1);
      });

      it("are recognised behind newer messages of the same origin", async () => {
        const channel = newChannel();
        const positions = await fill(channel, 30);
        await stored(log, appendOf(channel, 1, { origin: 5n }));
        for (const seq of [30, 17, 1]) {
          expect(await stored(log, appendOf(channel, seq))).toMatchObject({
            repeated: true,
            position: positions[seq - 1],
          });
        }
        expect((await log.ends(channel, policyWith())).head.offset).toBe(31);
      });

      it("are recognised while the first is under way", async () => {
        const channel = newChannel();
        const [first, second] = await Promise.all([
          stored(log, appendOf(channel, 1)),
          stored(log, appendOf(channel, 1)),
        ]);
        expect(second).toMatchObject({ position: first.position, repeated: true });
      });

      it("of a message that was overtaken are refused, because it can never be stored any more", async () => {
        const channel = newChannel();
        await stored(log, appendOf(channel, 3));
        await stored(log, appendOf(channel, 9));
        await expect(log.append(appendOf(channel, 5))).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
        expect((await log.ends(channel, policyWith())).head.offset).toBe(2);
      });

      it("of a message that is no longer remembered are unknown, not guessed", async () => {
        const channel = newChannel();
        await stored(log, appendOf(channel, 3));
        expect(await log.append(appendOf(channel, 2))).toEqual({
          outcome: "unknown",
          position: undefined,
          reason: "identity forgotten",
        });
      });

      it("of a trimmed message have its position and no body", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxMessages: 1 });
        const first = await stored(log, appendOf(channel, 1, { policy }));
        await stored(log, appendOf(channel, 1, { policy, origin: 2n }));
        const again = await stored(log, appendOf(channel, 1, { policy }));
        expect(again).toMatchObject({ repeated: true, position: first.position, body: undefined });
      });

      it("are recognised by their idempotency key under another identity, in this channel alone", async () => {
        const channel = newChannel();
        const keyed = { idempotencyKey: "shop/order 17" };
        const first = await stored(log, appendOf(channel, 1, keyed));
        const again = await stored(log, appendOf(channel, 5, { ...keyed, origin: 9n }));
        expect(again).toMatchObject({ repeated: true, position: first.position });
        const elsewhere = await stored(log, appendOf(newChannel(), 1, keyed));
        expect(elsewhere.repeated).toBe(false);
      });
    });

    describe("retention", () => {
      it("trims by count, and what ends just there has lost nothing", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxMessages: 3 });
        const positions = await fill(channel, 10, { policy });
        const { head, tail } = await log.ends(channel, policy);
        expect({ head, tail }).toEqual({ head: positions[9], tail: positions[6] });
        expect(outline((await page(log, channel, { policy })).items)).toBe("8 9 10");
        expect(outline((await page(log, channel, { policy, from: positions[6] })).items)).toBe("8 9 10");
        expect(await readOf(log, channel, { policy, from: positions[5] })).toEqual({ verdict: "trimmed", head, tail });
      });

      it("trims by bytes and keeps the newest message whatever its size", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxBytes: 1000 });
        const body = new Uint8Array(300);
        for (let seq = 1; seq <= 5; seq++) await stored(log, appendOf(channel, seq, { policy, body }));
        expect(outline((await page(log, channel, { policy })).items)).toBe("3 4 5");
        await stored(log, appendOf(channel, 6, { policy, body: new Uint8Array(5000) }));
        expect(outline((await page(log, channel, { policy })).items)).toBe("6");
        await stored(log, appendOf(channel, 7, { policy, body: new Uint8Array(1) }));
        expect(outline((await page(log, channel, { policy })).items)).toBe("7");
      });

      it("trims by age", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxAgeS: 1 });
        await fill(channel, 5, { policy });
        await under.elapse(700);
        for (let seq = 6; seq <= 9; seq++) await stored(log, appendOf(channel, seq, { policy }));
        await under.elapse(500);
        expect(outline((await page(log, channel, { policy })).items)).toBe("6 7 8 9");
      });

      it("that is lowered trims a long log at once", async () => {
        const channel = newChannel();
        await fill(channel, 200);
        expect(outline((await page(log, channel, { policy: policyWith({ maxMessages: 2 }) })).items)).toBe("199 200");
      });
    });

    describe("read", () => {
      it("pages forward and backward over the same messages", async () => {
        const channel = newChannel();
        await fill(channel, 50);
        const walk = async (direction: "forward" | "backward") => {
          const seen: number[] = [];
          let from: LogPosition | undefined;
          for (;;) {
            const one = await page(log, channel, { direction, from, limit: 7 });
            seen.push(...(one.items as LogMessage[]).map(({ offset }) => offset));
            if (one.atEnd) return seen;
            from = one.next;
          }
        };
        const all = Array.from({ length: 50 }, (_, i) => i + 1);
        expect(await walk("forward")).toEqual(all);
        expect(await walk("backward")).toEqual(all.toReversed());
      });

      it("says that a page which ends at the head is the last", async () => {
        const channel = newChannel();
        const positions = await fill(channel, 4);
        expect(await page(log, channel, { from: positions[1], limit: 2 })).toMatchObject({
          atEnd: true,
          next: positions[3],
        });
        expect(await page(log, channel, { from: positions[0], limit: 2 })).toMatchObject({
          atEnd: false,
          next: positions[2],
        });
      });

      it("ends a page at its bytes, but not before one message", async () => {
        const channel = newChannel();
        await fill(channel, 4, { body: new Uint8Array(100) });
        expect(outline((await page(log, channel, { maxBytes: 250 })).items)).toBe("1 2");
        expect(outline((await page(log, channel, { maxBytes: 1 })).items)).toBe("1");
      });

      it("tells a fork by its tag, also ahead of the head", async () => {
        const channel = newChannel();
        const positions = await fill(channel, 3);
        const { head, tail } = await log.ends(channel, policyWith());
        for (const wrong of [
          { ...head, tag: head.tag ^ 1 },
          { ...(positions[0] as LogPosition), tag: 1 + ((positions[0]?.tag ?? 0) % 1000) },
          { ...head, offset: 4 },
          { ...head, offset: 0, tag: 5 },
        ]) {
          expect(await readOf(log, channel, { from: wrong })).toEqual({ verdict: "forked", head, tail });
        }
      });

      it("tells another epoch", async () => {
        const channel = newChannel();
        const [position] = await fill(channel, 1);
        const from = { ...(position as LogPosition), epoch: (position?.epoch ?? 0) - 1 };
        expect(await readOf(log, channel, { from })).toMatchObject({ verdict: "other-epoch" });
      });

      it("skips what has expired, and leaves it out backward", async () => {
        const channel = newChannel();
        await stored(log, appendOf(channel, 1));
        await stored(log, appendOf(channel, 2, { expiresAtMs: under.nowMs() + 50 }));
        await stored(log, appendOf(channel, 3));
        await under.elapse(100);
        const { items } = await page(log, channel);
        expect(outline(items)).toBe("1 2-2x 3");
        const [one, two, three] = items;
        expect(two).toMatchObject({ previousTag: one?.tag, tag: three?.previousTag });
        expect(outline((await page(log, channel, { direction: "backward" })).items)).toBe("3 1");
      });

      it("rewinds by a number of messages, at most to the tail", async () => {
        const channel = newChannel();
        const policy = policyWith({ maxMessages: 5 });
        const positions = await fill(channel, 8, { policy });
        const { position } = await log.rewind(channel, policy, 2);
        expect(position).toEqual(positions[5]);
        expect((await log.rewind(channel, policy, 100)).position).toEqual(positions[2]);
        expect((await log.rewind(channel, policy, 0)).position).toEqual(positions[7]);
      });
    });

    describeLogRemoval(() => log);
    describeCursorStore(() => under.cursors);
  });
}
