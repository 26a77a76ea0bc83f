import { describe, expect, it } from "vitest";
import { SlotMap, slotOfTag } from "./slot-map.ts";
import type { Reply, ValkeyClient } from "./valkey-client.ts";

function clientThatAnswers(reply: Reply): ValkeyClient {
  return { send: async () => reply, pipeline: async () => [], close() {} };
}

const twoPrimaries: Reply = [
  [0, 8191, ["127.0.0.1", 7001, Buffer.from("one"), []], ["127.0.0.1", 7003, Buffer.from("replica"), []]],
  [8192, 16_383, ["127.0.0.1", 7002, Buffer.from("two"), []]],
];

describe("slot map", () => {
  it("computes slots as the cluster specification does", () => {
    expect(slotOfTag("123456789")).toBe(0x31c3); // the check value of CRC16/XMODEM
    expect(slotOfTag("foo")).toBe(12_182);
    expect(slotOfTag("")).toBe(0);
  });

  it("tells the primary of a tag and a tag of a primary", async () => {
    const map = new SlotMap();
    expect(map.primaryOf("foo")).toBe("");
    await map.refresh(clientThatAnswers(twoPrimaries));
    expect(map.primaryOf("foo")).toBe("two");
    for (const id of ["one", "two"]) {
      expect(map.isPrimary(id)).toBe(true);
      expect(map.primaryOf(map.tagOf(id) as string)).toBe(id);
    }
    expect(map.isPrimary("replica")).toBe(false);
    expect(map.tagOf("replica")).toBeUndefined();
  });
});
