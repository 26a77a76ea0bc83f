import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Access, NamespaceSchema } from "@fanfare/proto/config/v1";
import { text } from "@fanfare/sdk-core";
import { type FanfareServer, resolveConfig, startServer } from "@fanfare/server";
import { afterAll, beforeAll, describe, it } from "vitest";
import { openPlayer } from "../scripts/server-kill/player.ts";
import { configOf } from "../scripts/server-kill/server-on-valkey.ts";
import { systemClock } from "../server/src/clock.ts";
import { silentLog } from "../server/src/observe/log.ts";
import { newAppChannel } from "../server/src/testing/broker-under-test.ts";
import { DistantProxy } from "../server/src/testing/distant-proxy.ts";
import { appendOf, newChannel, stored } from "../server/src/testing/log-under-test.ts";
import { startStandalone, until, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { ValkeyBackend } from "../server/src/valkey-backend.ts";
import { requireTool } from "./require-tool.ts";

/** What `/metrics` says, by name and labels. */
async function metricsOf({ url }: FanfareServer): Promise<ReadonlyMap<string, number>> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split("\n").filter((line) => !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

/** All that must not grow while nothing is wrong. */
const troubles = [
  "fanfare_link_batches_repeated_total",
  "fanfare_link_retransmit_timeouts_total",
  "fanfare_link_lane_moves_total",
  "fanfare_link_suspensions_total",
  "fanfare_link_sick_lanes",
  'fanfare_link_publishes_failed_total{reason="rejected"}',
  'fanfare_link_publishes_failed_total{reason="timeout"}',
  'fanfare_link_publishes_failed_total{reason="unheard"}',
  'fanfare_link_batches_out_of_turn_total{kind="duplicate"}',
  'fanfare_route_fallbacks_total{to="everybody"}',
  'fanfare_broker_clients_replaced_total{client="commands"}',
  'fanfare_broker_clients_replaced_total{client="subscriber"}',
  "fanfare_broker_lane_probes_lost_total",
  "fanfare_broker_lanes_down",
];

// They wait for most of their time: side by side they take half of it.
describe.skipIf(requireTool("valkey-server") === undefined).concurrent("a Valkey in another data centre", () => {
  let valkey: ValkeyServers;
  const before = () => DistantProxy.before(valkey.addresses[0]?.port ?? 0);
  beforeAll(async () => {
    valkey = await startStandalone();
  });
  afterAll(() => valkey?.[Symbol.asyncDispose]());

  async function serve(nodeId: string, proxy: DistantProxy) {
    const config = configOf({ addresses: [`${proxy.address.host}:${proxy.address.port}`], keyPrefix: "far", nodeId });
    const rules = { subscribe: Access.ANYONE, publish: Access.ANYONE };
    config.apps[0]?.namespaces.push(create(NamespaceSchema, { name: "live", rules }));
    Object.assign(config.valkey ?? {}, { laneTimeoutMs: 2000, requestTimeoutMs: 2000, connectTimeoutMs: 4000 });
    return await startServer({ config: resolveConfig(config, { environment: {} }) });
  }

  it("carries each message between nodes once, and takes no lane for sick, when `lane_timeout_ms` is four round trips", async ({
    expect,
  }) => {
    await using proxy = await before();
    await using one = await serve("one", proxy);
    await using two = await serve("two", proxy);
    const [sender, receiver] = [await openPlayer("ann", one.url), await openPlayer("bob", two.url)];
    const got: string[] = [];
    (await receiver.join("live:a")).on(text(), (value) => got.push(value));
    proxy.oneWayMs = 250;
    const probes = async () => (await metricsOf(two)).get("fanfare_broker_lane_probes_total") ?? 0;
    const probed = await probes();
    const values = Array.from({ length: 20 }, (_, i) => `${i}`);
    const published = [];
    for (const value of values) {
      published.push(sender.to({ group: "live:a" }).publish(text(), value));
      await delay(20);
    }
    await Promise.all(published);
    await until(async () => got.length === values.length);
    // Each lane of either inbox has been probed since, and what was probed last has had the time to fail.
    await until(async () => (await probes()) >= probed + 2 * 16);
    for (const server of [one, two]) {
      const metrics = await metricsOf(server);
      expect(troubles.map((name) => [name, metrics.get(name)])).toEqual(troubles.map((name) => [name, 0]));
    }
    expect(got).toEqual(values);
    proxy.oneWayMs = 0;
  });

  it("replaces each client that is wedged, when `connect_timeout_ms` leaves the time for it", async ({ expect }) => {
    await using proxy = await before();
    const timeouts = { laneTimeoutMs: 500, requestTimeoutMs: 600, connectTimeoutMs: 3000, callTimeoutMs: 20_000 };
    const valkey = { addresses: [proxy.address], cluster: false, keyPrefix: "wedged", ...timeouts };
    await using backend = await ValkeyBackend.open({ valkey, clock: systemClock, log: silentLog });
    const { broker, stores } = backend;
    const channel = newAppChannel();
    const use = async (first: number) => {
      await Promise.all([
        broker.memberships.add("game", "ann", `chat:${first}`, 10),
        until(async () => (await broker.routes.read(channel)).length === 0),
        until(async () => (await broker.registry.renew(1n, Buffer.from("node"))).every((shard) => shard !== undefined)),
        stored(stores.messageLog, appendOf(newChannel(), 1)),
        stores.cursorStore.get(newChannel(), "ann"),
        until(async () => (await broker.lanes.publish(0, 1n, Uint8Array.of(first))) > 0 && heard.has(first)),
      ]);
    };
    const heard = new Set<number>();
    await broker.lanes.listen(1n, ([first = 0]) => heard.add(first));
    await use(1);
    proxy.oneWayMs = 140;
    proxy.wedge();
    await use(2);
    const { clientsReplaced, subscribersReplaced, logClientsReplaced } = backend.counts;
    expect(clientsReplaced).toBeGreaterThanOrEqual(4);
    expect(subscribersReplaced).toBeGreaterThanOrEqual(1);
    expect(logClientsReplaced).toBeGreaterThanOrEqual(2);
  }, 30_000);
});
