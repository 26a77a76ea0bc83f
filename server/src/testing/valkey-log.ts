import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../clock.ts";
import type { DurableStores } from "../log/durable-stores.ts";
import { LogConnections, type LogConnectionsOptions } from "../log/valkey/log-connections.ts";
import { ValkeyCursorStore } from "../log/valkey/valkey-cursor-store.ts";
import { ValkeyMessageLog } from "../log/valkey/valkey-message-log.ts";
import { silentLog } from "../observe/log.ts";
import type { LogUnderTest } from "./log-under-test.ts";
import type { ValkeyServers } from "./valkey-processes.ts";

/** A log on real servers. It does not end them. */
export async function openValkeyLog(
  servers: ValkeyServers,
  options: Partial<LogConnectionsOptions> = {},
): Promise<LogUnderTest & { readonly connections: LogConnections }> {
  const { addresses, isCluster } = servers;
  const valkey = { addresses, cluster: isCluster, requestTimeoutMs: 500 };
  const connections = await LogConnections.open({ valkey, clock: systemClock, log: silentLog, ...options });
  const log = new ValkeyMessageLog(connections);
  return {
    connections,
    log,
    cursors: new ValkeyCursorStore(connections),
    elapse: (ms) => delay(ms),
    nowMs: () => systemClock.nowMs(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

let storesOpened = 0;

/** Stores for a node, on real servers and under keys of their own. */
export async function openValkeyStores(servers: ValkeyServers): Promise<DurableStores & AsyncDisposable> {
  const under = await openValkeyLog(servers, { keyPrefix: `test-${++storesOpened}` });
  return {
    messageLog: under.log,
    cursorStore: under.cursors,
    [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
  };
}
