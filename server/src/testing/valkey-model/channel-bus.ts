import type { Random } from "../random.ts";
import type { Simulation } from "../simulation/simulation.ts";
import { type ClusterView, slotOfKey } from "./slots.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** What a {@link passOn} needs of a model. */
export interface ChannelBus {
  readonly simulation: Simulation;
  readonly random: Random;
  /** What is true of the cluster. */
  readonly truth: ClusterView | undefined;
  server(id: string): ValkeyServer;
  /** Servers without connection to the others. */
  readonly isolated: ReadonlySet<string>;
}

/** What is published at one server goes to those who have subscribed at the others of its shard. They do not count as receivers. */
export function passOn(bus: ChannelBus, from: ValkeyServer, channel: string, bytes: string): void {
  const shard = bus.truth?.shards[bus.truth.shardOf(slotOfKey(channel))];
  if (shard === undefined || bus.isolated.has(from.id)) return;
  for (const id of [shard.primary, ...shard.replicas]) {
    const to = bus.server(id);
    if (to === from || !to.channels.has(channel) || bus.isolated.has(id)) continue;
    const arrive = (): void => to.process.run(() => void to.channels.publish(channel, bytes), "cluster");
    bus.simulation.after(bus.random.between(0.1, 1), arrive);
  }
}
