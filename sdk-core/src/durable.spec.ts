import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import type { Init } from "./wire/codec.ts";
import { DeliveryClass, GapReason, type ServerFrame } from "./wire/schema.ts";

describe("a durable channel, of a server that serves it", () => {
  let nextSeq = 1;
  const entry = (offset: number, tag: number, previousTag: number): Init<ServerFrame> => ({
    message: {
      channel: { group: "a" },
      origin: 5n,
      seq: nextSeq++,
      payload: { type: "", text: `${offset}` },
      log: { offset, tag, previousTag },
    },
  });

  async function durable() {
    const t = await Scripted.connected();
    const joining = t.client.join("a");
    await settled();
    const position = { epoch: 3, offset: 10, tag: 100 };
    const subscribed = { deliveryClass: DeliveryClass.DURABLE, position };
    await t.socket.say({ id: t.socket.last("subscribe").id, reply: { subscribed } });
    const group = await joining;
    const got: string[] = [];
    group.on(text(), (value, meta) => got.push(`${value}/${meta.position?.offset}`));
    return { t, group, got };
  }

  it("takes what follows, drops what it had, moves over skips, and names its position on resume", async () => {
    const { t, got } = await durable();
    const skip = { channel: { group: "a" }, fromOffset: 12, toOffset: 14, tag: 114, previousTag: 101 };
    await t.socket.say(entry(11, 101, 100), entry(11, 101, 100), { skip }, entry(15, 115, 114));
    expect(got).toEqual(["11/11", "15/15"]);
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions).toMatchObject([{ after: { epoch: 3, offset: 15, tag: 115 } }]);
  });

  it("reads the log anew at a hole and at a fork, and takes nothing before the answer [FF-DU-001, FF-DU-002]", async () => {
    for (const torn of [entry(12, 102, 101), entry(11, 101, 999)]) {
      const { t, got } = await durable();
      await t.socket.say(torn, entry(13, 103, 102));
      expect(got).toEqual([]);
      const { id, frame } = t.socket.last("subscribe");
      expect(frame.after).toEqual({ epoch: 3, offset: 10, tag: 100 });
      await t.socket.say(
        { id, reply: { subscribed: { deliveryClass: DeliveryClass.DURABLE, position: frame.after } } },
        entry(11, 101, 100),
      );
      expect(got).toEqual(["11/11"]);
    }
  });

  it("goes on from where a gap ends", async () => {
    const { t, group, got } = await durable();
    const gaps: unknown[] = [];
    group.on("gap", (gap) => gaps.push([gap.reason, gap.missed, gap.to?.offset]));
    const gap = { reason: GapReason.TRIMMED, missed: 9, to: { epoch: 3, offset: 20, tag: 200 } };
    await t.socket.say({ subscription: { channel: { group: "a" }, gap } }, entry(21, 201, 200));
    expect(gaps).toEqual([[GapReason.TRIMMED, 9, 20]]);
    expect(got).toEqual(["21/21"]);
  });
});
