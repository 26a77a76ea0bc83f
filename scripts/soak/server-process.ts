import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Access, ChannelRulesSchema, LimitsSchema, ListenSchema, NamespaceSchema } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { devConfig, resolveConfig, startServer } from "@fanfare/server";
import { openValkeyStores } from "../../server/src/testing/valkey-log.ts";
import { startCluster } from "../../server/src/testing/valkey-processes.ts";
import type { Ready } from "./messages.ts";

// The server of a soak test as a process of its own: one namespace, durable and open, and no limit that so many reconnects would
// meet. With `--valkey` the log is in a cluster started for it.
const { config, tokenSecret } = devConfig();
const rules = create(ChannelRulesSchema, {
  deliveryClass: DeliveryClass.DURABLE,
  subscribe: Access.ANYONE,
  publish: Access.ANYONE,
  retention: { maxMessages: 1_000_000, maxBytes: 1n << 30n },
});
config.apps[0]?.namespaces.push(create(NamespaceSchema, { name: "soak", rules }));
config.listen = create(ListenSchema, { host: "127.0.0.1", port: 0 });
config.limits = create(LimitsSchema, {
  handshakesPerSecond: 100_000,
  maxConnectionsPerAddress: 100_000,
  publishesPerSecond: 100_000,
  publishBurst: 100_000,
  framesPerSecond: 100_000,
});
const cluster = process.argv.includes("--valkey") ? await startCluster() : undefined;
const stores = cluster && (await openValkeyStores(cluster));
const server = await startServer({ config: resolveConfig(config), ...(stores && { stores }) });
process.send?.({ url: server.url, tokenSecret } satisfies Ready);
await once(process, "disconnect");
await server.close();
await stores?.[Symbol.asyncDispose]();
await cluster?.[Symbol.asyncDispose]();
process.exit(0);
