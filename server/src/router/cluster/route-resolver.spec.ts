import { beforeEach, describe, expect, it } from "vitest";
import type { AppChannel, RouteStore } from "../../broker/route-store.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { RouteResolver, type Targets } from "./route-resolver.ts";

const channel: AppChannel = { appId: "a", key: "g:x" };
const other: AppChannel = { appId: "a", key: "g:y" };
const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe("RouteResolver", () => {
  let clock: VirtualClock;
  let reads: { key: string; answer: PromiseWithResolvers<readonly bigint[]> }[];
  let resolver: RouteResolver;
  let dispatched: [string, Targets][];

  beforeEach(() => {
    clock = new VirtualClock();
    reads = [];
    dispatched = [];
    const read = ({ key }: AppChannel) => {
      const answer = Promise.withResolvers<readonly bigint[]>();
      reads.push({ key, answer });
      return answer.promise;
    };
    resolver = new RouteResolver({ store: { read } as unknown as RouteStore, clock, everybodyPerSecond: 2 });
  });

  const publish = (name: string, to = channel) => resolver.resolve(to, (targets) => dispatched.push([name, targets]));

  it("reads once for all that is published to a channel within a turn", async () => {
    publish("1");
    publish("2");
    publish("3", other);
    clock.turn();
    expect(reads.map(({ key }) => key)).toEqual(["g:x", "g:y"]);
    reads[0]?.answer.resolve([1n]);
    await settled();
    expect(dispatched).toEqual([
      ["1", [1n]],
      ["2", [1n]],
    ]);
  });

  it("answers a publish by a read that began after it, and keeps the order", async () => {
    publish("1");
    clock.turn();
    publish("2");
    expect(reads).toHaveLength(1);
    reads[0]?.answer.resolve([1n]);
    await settled();
    expect(dispatched).toEqual([["1", [1n]]]);
    expect(reads).toHaveLength(2);
    reads[1]?.answer.resolve([1n, 2n]);
    await settled();
    expect(dispatched[1]).toEqual(["2", [1n, 2n]]);
  });

  it("sends to everybody when a route cannot be read, within a budget, and says so past it", async () => {
    for (const name of ["1", "2", "3"]) {
      publish(name);
      clock.turn();
      reads.at(-1)?.answer.reject(new Error("out of reach"));
      await settled();
    }
    expect(dispatched.map(([, targets]) => targets)).toEqual(["everybody", "everybody", "unreachable"]);
    clock.advance(1_000);
    publish("4");
    clock.turn();
    reads.at(-1)?.answer.reject(new Error("out of reach"));
    await settled();
    expect(dispatched[3]).toEqual(["4", "everybody"]);
  });

  it("lets a barrier wait for the reads that have begun, and for no others", async () => {
    publish("1");
    clock.turn();
    let isPast = false;
    void resolver.barrier().then(() => {
      isPast = true;
    });
    publish("2", other);
    clock.turn();
    await settled();
    expect(isPast).toBe(false);
    reads[0]?.answer.resolve([]);
    await settled();
    expect([isPast, dispatched]).toEqual([true, [["1", []]]]);
  });
});
