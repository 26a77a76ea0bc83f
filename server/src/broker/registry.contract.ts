import { describe, expect, it } from "vitest";
import type { BrokerUnderTest } from "../testing/broker-under-test.ts";
import type { Registry, RegistryShard } from "./registry.ts";

const [ann, bob] = [0xffff_0000_0000_0001n, 2n] as const;

/** The contract of {@link Registry}. To be run on a broker where nobody has registered. */
export function describeRegistry(under: () => BrokerUnderTest): void {
  describe("a registry", () => {
    const registries = (): [Registry, Registry] => [under().nodes[0].registry, under().nodes[1].registry];
    const record = (text: string) => Buffer.from(`${text}\0 \n\xff`, "latin1");
    const all = (shards: readonly (RegistryShard | undefined)[]): readonly RegistryShard[] => {
      expect(shards).not.toContain(undefined);
      return shards as readonly RegistryShard[];
    };
    const names = ({ nodes }: RegistryShard) =>
      nodes.map(({ incarnation }) => incarnation).sort((a, b) => Number(a - b));

    it("shows on every shard who is registered, with record and age, and who is not any more", async () => {
      const [one, other] = registries();
      expect(other.shardCount).toBe(one.shardCount);
      const first = all(await one.renew(ann, record("ann")));
      expect(first).toHaveLength(one.shardCount);
      for (const shard of first) expect(shard.nodes).toMatchObject([{ incarnation: ann, record: record("ann") }]);
      await under().elapse(100);
      for (const shard of all(await other.renew(bob, record("bob")))) {
        expect(names(shard)).toEqual([bob, ann]);
        const [hers, his] = [ann, bob].map((id) => shard.nodes.find(({ incarnation }) => incarnation === id));
        expect(hers?.ageMs).toBeGreaterThanOrEqual(100);
        expect(hers?.ageMs).toBeLessThan(5000);
        expect(his?.ageMs).toBeLessThan(100);
      }
      await one.renew(ann, record("renewed"));
      for (const { nodes } of all(await other.renew(bob, record("bob")))) {
        expect(nodes.find(({ incarnation }) => incarnation === ann)?.record).toEqual(record("renewed"));
      }
      await other.remove(ann);
      for (const shard of all(await other.renew(bob, record("bob")))) expect(names(shard)).toEqual([bob]);
      await other.remove(bob);
      await other.remove(bob);
    });

    it("is unsettled at the first look, and settled from then on", async () => {
      const [one] = registries();
      await one.renew(ann, record("ann"));
      for (const { unsettled } of all(await one.renew(ann, record("ann")))) expect(unsettled).toBe(false);
      await one.remove(ann);
      // Somebody has lost our lease.
      for (const { unsettled } of all(await one.renew(ann, record("ann")))) expect(unsettled).toBe(true);
      for (const { unsettled } of all(await one.renew(ann, record("ann")))) expect(unsettled).toBe(false);
      await one.remove(ann);
    });

    it("tells who was removed by another, and goes on renewing", async () => {
      const [one, other] = registries();
      await one.renew(ann, record("ann"));
      for (const { evicted } of all(await one.renew(ann, record("ann")))) expect(evicted).toBe(false);
      await other.renew(bob, record("bob"));
      await other.remove(ann);
      for (const { evicted } of all(await one.renew(ann, record("ann")))) expect(evicted).toBe(true);
      for (const { evicted } of all(await one.renew(ann, record("ann")))) expect(evicted).toBe(false);
      await other.remove(bob);
      await one.remove(ann);
    });
  });
}
