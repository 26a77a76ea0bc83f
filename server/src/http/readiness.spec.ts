import { CloseCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import type { Broker } from "../broker/broker.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { openBrokerOn } from "../testing/valkey-broker.ts";
import { startStandalone, until, type ValkeyProcess, type ValkeyServers } from "../testing/valkey-processes.ts";

const readiness = async ({ server }: TestServer) => (await fetch(`${server.url}/readyz`)).status;

describe.skipIf(requireTool("valkey-server") === undefined)("/readyz of a node on Valkey", () => {
  let servers: ValkeyServers;
  beforeAll(async () => {
    servers = await startStandalone();
  });
  afterAll(() => servers?.[Symbol.asyncDispose]());

  it("says no while no lane works, although leases and keys do, and yes by itself as soon as one does", async () => {
    const [valkey] = servers.processes as [ValkeyProcess];
    await using node = await startTestServer({ valkey: servers });
    expect(await readiness(node)).toBe(200);
    const { incarnation } = node.server.node;
    await valkey.command("ACL", "SETUSER", "default", "resetchannels");
    await until(async () => (await readiness(node)) === 503);
    await node.control().joinGroup({ playerId: "ann", group: "chat:a" });
    await valkey.command("ACL", "SETUSER", "default", "allchannels");
    await until(async () => (await readiness(node)) === 200);
    expect(node.server.node.incarnation).toBe(incarnation);
  });

  it("says no until a node that was cut off is back among the others, whatever works before", async () => {
    await using broker = await openBrokerOn(servers, { keyPrefix: "rejoins" });
    const rejoining = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    let isEvicted = false;
    let first: bigint | undefined;
    const registry: Broker["registry"] = {
      shardCount: 1,
      remove: (incarnation) => broker.registry.remove(incarnation),
      async renew(incarnation, record) {
        first ??= incarnation;
        if (incarnation !== first) {
          rejoining.resolve();
          await gate.promise;
        }
        const shards = await broker.registry.renew(incarnation, record);
        return isEvicted && incarnation === first ? shards.map((one) => one && { ...one, evicted: true }) : shards;
      },
    };
    const close = async () => {};
    await using node = await startTestServer({
      cluster: { broker: { ...broker, registry, [Symbol.asyncDispose]: close }, leaseMs: 2_000 },
    });
    expect(await readiness(node)).toBe(200);
    isEvicted = true;
    await rejoining.promise;
    // Its new inbox is listened to, and works.
    await until(async () => broker.health.isHealthy);
    expect(await readiness(node)).toBe(503);
    expect(await (await fetch(`${node.server.url}/metrics`)).text()).toMatch(/^fanfare_cluster_reachable 0$/m);
    expect((await (await node.dial()).ended()).code).toBe(CloseCode.GOING_AWAY);
    gate.resolve();
    await until(async () => (await readiness(node)) === 200);
    await node.join("ann");
  });
});
