import { describe, expect, it } from "vitest";
import { LinkScenario } from "./testing/link-scenario.ts";

describe("links whose lanes have one shard, which passes on and then refuses", () => {
  it("do not answer each refusal with everything again", async () => {
    const scenario = new LinkScenario({ nodes: 3, lanes: 6, shards: 1 });
    const [a, b, c] = [scenario.node(0), scenario.node(1), scenario.node(2)];
    for (const peer of [b, c]) a.send(peer, "first");
    await scenario.runFor(50);
    scenario.network.mischief = { lose: 0.06, double: 0.06, refuseAfterwards: 0.3, delay: 0.06 };
    // 1,600 batches, each of which is refused once in three times.
    for (let turn = 0; turn < 200 && scenario.network.publishes < 30_000; turn++) {
      for (const peer of [b, c]) for (let i = 0; i < 20; i++) a.send(peer, "x".repeat(12_000));
      await scenario.runFor(5);
    }
    expect(scenario.network.publishes).toBeLessThan(15_000);
    scenario.network.heal();
    await scenario.runFor(4_000);
    const last = [b, c].map((peer) => a.send(peer, "last"));
    await scenario.runFor(100);
    expect(last.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered"]);
  }, 20_000);
});
