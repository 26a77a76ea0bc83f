import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { systemClock } from "../../clock.ts";
import type { BrokerUnderTest } from "../../testing/broker-under-test.ts";
import { openBrokerOn } from "../../testing/valkey-broker.ts";
import {
  startCluster,
  startStandalone,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../testing/valkey-processes.ts";
import { describeLanes } from "../lanes.contract.ts";
import { describeMembershipStore } from "../membership-store.contract.ts";
import { describeRegistry } from "../registry.contract.ts";
import { describeRouteStore } from "../route-store.contract.ts";
import { describeSessionStore } from "../session-store.contract.ts";
import { describeSettingsStore } from "../settings-store.contract.ts";
import { describeStandingStore } from "../standing-store.contract.ts";

async function openOn(start: () => Promise<ValkeyServers>): Promise<BrokerUnderTest> {
  await using opened = new AsyncDisposableStack();
  const servers = opened.use(await start());
  const nodes = [opened.use(await openBrokerOn(servers)), opened.use(await openBrokerOn(servers))] as const;
  const all = opened.move();
  return {
    nodes,
    elapse: (ms) => delay(ms),
    nowMs: () => systemClock.nowMs(),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

describe.skipIf(requireTool("valkey-server") === undefined)("a broker", () => {
  for (const [name, start] of [
    ["one Valkey", () => startStandalone()],
    ["a Valkey with a replica", () => startStandalone(1)],
    ["a Valkey cluster, 3 + 3", startCluster],
  ] as [string, () => Promise<ValkeyServers>][]) {
    describe(`over ${name}`, () => {
      let under: BrokerUnderTest;
      beforeAll(async () => {
        under = await openOn(start);
      }, 60_000);
      afterAll(() => under?.[Symbol.asyncDispose]());

      describeLanes(() => under);
      describeRegistry(() => under);
      describeRouteStore(() => under);
      describeSessionStore(() => under);
      describeMembershipStore(() => under);
      describeStandingStore(() => under);
      describeSettingsStore(() => under);
    });
  }

  it("keeps its lease when Valkey has no memory left", async () => {
    await using servers = await startStandalone();
    const [valkey] = servers.processes as [ValkeyProcess];
    await using broker = await openBrokerOn(servers);
    await broker.registry.renew(7n, new Uint8Array(50));
    await valkey.command("CONFIG", "SET", "maxmemory", "1");
    const [answer] = await broker.registry.renew(7n, new Uint8Array(50));
    expect(answer?.nodes).toHaveLength(1);
  });
});
