import { describe, expect, it } from "vitest";
import type { BrokerUnderTest } from "../testing/broker-under-test.ts";
import { everybody, type Lanes } from "./lanes.ts";

const [ann, bob] = [0xffff_0000_0000_0001n, 2n] as const;

/** The contract of {@link Lanes}. To be run on a broker of which nobody listens. */
export function describeLanes(under: () => BrokerUnderTest): void {
  describe("lanes", () => {
    it("carry bytes to the incarnation that listens, each lane by itself, and say when nobody does", async () => {
      const [one, other] = under().nodes;
      const lanes: [Lanes, Lanes] = [one.lanes, other.lanes];
      expect(lanes[0].count).toBe(lanes[1].count);
      const received: string[] = [];
      const all = [...Array(lanes[0].count).keys()];
      const note = (who: string) => (bytes: Uint8Array, lane: number) => {
        received.push(`${who} ${lane} ${Buffer.from(bytes).toString("hex")}`);
      };
      for (const lane of all) expect(await lanes[0].publish(lane, bob, Buffer.from([8]))).toBe(0);
      expect(one.health.isHealthy).toBe(false);
      await lanes[0].listen(ann, note("ann"));
      await lanes[1].listen(bob, note("bob"));
      expect(one.health.isHealthy).toBe(true);
      expect(one.health.lanes.map(({ isUp }) => isUp)).toEqual(all.map(() => true));
      expect(one.health.lanes.map(({ shard }) => shard)).toEqual(all.map((lane) => lanes[0].shardOf(lane)));
      expect(one.health.failingShards).toEqual([]);
      const large = Buffer.alloc(20_000, 7);
      for (const lane of all) {
        expect(await lanes[0].publish(lane, bob, Buffer.from([8, 0, 255, lane]))).toBe(1);
        expect(await lanes[1].publish(lane, bob, Buffer.from([9, lane]))).toBe(1);
        expect(await lanes[1].publish(lane, ann, Buffer.from([10, lane]))).toBe(1);
      }
      const counts = await Promise.all(all.flatMap((lane) => [1, 2, 3].map(() => lanes[0].publish(lane, ann, large))));
      expect(counts.every((receivers) => receivers === 1)).toBe(true);
      const hex = (bytes: number[]) => Buffer.from(bytes).toString("hex");
      const expected = all.flatMap((lane) => [
        `bob ${lane} ${hex([8, 0, 255, lane])}`,
        `bob ${lane} ${hex([9, lane])}`,
        `ann ${lane} ${hex([10, lane])}`,
        ...[1, 2, 3].map(() => `ann ${lane} ${large.toString("hex")}`),
      ]);
      for (let i = 0; i < 200 && received.length < expected.length; i++) await under().elapse(10);
      expect([...received].sort()).toEqual(expected.sort());
      expect(await lanes[0].publish(0, 99n, Buffer.from([8]))).toBe(0);

      // To all who listen, whoever publishes it.
      received.length = 0;
      for (const lane of all)
        expect(await lanes[lane % 2 ? 1 : 0].publish(lane, everybody, Buffer.from([8, lane]))).toBe(2);
      for (let i = 0; i < 200 && received.length < 2 * all.length; i++) await under().elapse(10);
      const toAll = all.flatMap((lane) => [`ann ${lane} ${hex([8, lane])}`, `bob ${lane} ${hex([8, lane])}`]);
      expect([...received].sort()).toEqual(toAll.sort());

      // A node that comes back as another incarnation.
      received.length = 0;
      await lanes[1].listen(99n, note("bob again"));
      expect(await lanes[0].publish(0, 99n, Buffer.from([8]))).toBe(1);
      for (let i = 0; i < 200 && received.length < 1; i++) await under().elapse(10);
      expect(received).toEqual(["bob again 0 08"]);
      for (let i = 0; i < 100 && (await lanes[0].publish(0, bob, Buffer.from([8]))) > 0; i++) await under().elapse(50);
      expect(await lanes[0].publish(0, bob, Buffer.from([8]))).toBe(0);
      expect(received).toHaveLength(1);
    });
  });
}
