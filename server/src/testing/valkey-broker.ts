import { openValkeyBroker, type ValkeyBroker, type ValkeyBrokerOptions } from "../broker/valkey/open-valkey-broker.ts";
import { systemClock } from "../clock.ts";
import { silentLog } from "../observe/log.ts";
import type { ValkeyServers } from "./valkey-processes.ts";

/** One node's broker on real servers. It does not end them. */
export async function openBrokerOn(
  servers: ValkeyServers,
  options: Partial<ValkeyBrokerOptions> = {},
): Promise<ValkeyBroker> {
  const { addresses, isCluster } = servers;
  const valkey = { addresses, cluster: isCluster, requestTimeoutMs: 500 };
  return await openValkeyBroker({ valkey, clock: systemClock, log: silentLog, ...options });
}
