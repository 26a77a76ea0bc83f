import { describe, expect, it } from "vitest";
import { type BrokerUnderTest, newAppChannel } from "../testing/broker-under-test.ts";
import type { RouteStore } from "./route-store.ts";

const [ann, bob] = [0xffff_ffff_ffff_fff1n, 2n] as const;

/** The contract of {@link RouteStore}. */
export function describeRouteStore(under: () => BrokerUnderTest): void {
  describe("routes", () => {
    const stores = (): [RouteStore, RouteStore] => [under().nodes[0].routes, under().nodes[1].routes];

    async function sorted(store: RouteStore, channel = newAppChannel()): Promise<bigint[]> {
      return [...(await store.read(channel))].sort((a, b) => Number(a - b));
    }

    it("hold incarnations, and are read by every node as soon as an addition is answered", async () => {
      const [one, other] = stores();
      const channel = newAppChannel();
      expect(await sorted(one, channel)).toEqual([]);
      expect(await one.add(channel, ann, 1)).toBe(false);
      expect(await sorted(other, channel)).toEqual([ann]);
      expect(await other.add(channel, bob, 1)).toBe(false);
      expect(await sorted(one, channel)).toEqual([bob, ann]);
      await one.remove(channel, ann, 2);
      expect(await sorted(other, channel)).toEqual([bob]);
      await other.remove(channel, bob, 2);
      expect(await sorted(one, channel)).toEqual([]);
    });

    it("say whether an incarnation was there already", async () => {
      const [one] = stores();
      const channel = newAppChannel();
      expect(await one.add(channel, ann, 1)).toBe(false);
      expect(await one.add(channel, ann, 2)).toBe(true);
      await one.remove(channel, ann, 3);
      expect(await one.add(channel, ann, 4)).toBe(false);
    });

    it("answer a repeat as they answered the first", async () => {
      const [one] = stores();
      const channel = newAppChannel();
      expect(await one.add(channel, ann, 5)).toBe(false);
      expect(await one.add(channel, ann, 5)).toBe(false);
      expect(await one.add(channel, ann, 6)).toBe(true);
      expect(await one.add(channel, ann, 6)).toBe(true);
    });

    it("keep to the highest sequence of an incarnation, in whatever order changes come", async () => {
      const [one] = stores();
      const channel = newAppChannel();
      await one.add(channel, ann, 10);
      await one.remove(channel, ann, 9);
      expect(await sorted(one, channel)).toEqual([ann]);
      await one.remove(channel, ann, 12);
      expect(await one.add(channel, ann, 11)).toBe(false);
      expect(await sorted(one, channel)).toEqual([]);
      await one.remove(channel, bob, 4);
      expect(await one.add(channel, bob, 3)).toBe(false);
      expect(await sorted(one, channel)).toEqual([]);
      await one.add(channel, bob, 5);
      expect(await sorted(one, channel)).toEqual([bob]);
    });

    it("of apps and channels are apart", async () => {
      const [one] = stores();
      const channel = newAppChannel();
      await one.add(channel, ann, 1);
      expect(await sorted(one, { ...channel, appId: "other" })).toEqual([]);
      expect(await sorted(one)).toEqual([]);
    });

    it("serve many calls at once", async () => {
      const [one, other] = stores();
      const channels = Array.from({ length: 600 }, () => newAppChannel());
      const added = await Promise.all(channels.map((channel, i) => one.add(channel, ann, i)));
      expect(added.every((wasThere) => !wasThere)).toBe(true);
      const routes = await Promise.all(channels.map((channel) => other.read(channel)));
      expect(routes.every((route) => route.length === 1 && route[0] === ann)).toBe(true);
    });

    it("are rid of a dead incarnation by a sweep, also against what it has sent before and arrives late", async () => {
      const [one, other] = stores();
      const dead = 0xdeadn;
      const channels = Array.from({ length: 50 }, () => newAppChannel());
      for (const [i, channel] of channels.entries()) {
        await one.add(channel, dead, 100 + i);
        await one.add(channel, bob, 1);
      }
      await one.remove(channels[0] ?? newAppChannel(), dead, 1000);
      expect(await other.sweep(dead, AbortSignal.timeout(60_000))).toBe(49);
      for (const channel of channels) expect(await sorted(one, channel)).toEqual([bob]);
      await one.add(channels[1] ?? newAppChannel(), dead, 500);
      expect(await sorted(one, channels[1])).toEqual([bob]);
      expect(await other.sweep(dead, AbortSignal.timeout(60_000))).toBe(0);
      await expect(other.sweep(dead, AbortSignal.abort())).rejects.toThrow();
    });
  });
}
