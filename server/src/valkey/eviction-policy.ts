import type { Log } from "../observe/log.ts";
import type { Topology } from "./topology.ts";
import type { Command, Destination, Reply } from "./valkey-client.ts";

/** What the policy is asked of. */
export interface EvictionPolicyOptions {
  readonly client: { send(command: Command, destination: Destination, place: string): Promise<Reply> };
  readonly topology: Pick<Topology, "primaries" | "tagOf">;
  readonly log: Pick<Log, "warn">;
}

/** Warns of each primary that throws keys away when its memory is full: a channel or a membership is lost then without a word. Never throws. */
export async function warnOfEviction({ client, topology, log }: EvictionPolicyOptions): Promise<void> {
  const ask = async (primary: string): Promise<void> => {
    const tag = topology.tagOf(primary);
    if (tag === undefined) return;
    const memory = String(await client.send(["INFO", "memory"], { slotOf: `{${tag}}` }, primary));
    const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? "noeviction";
    if (policy === "noeviction") return;
    log.warn("valkey may throw away what is kept there: set its maxmemory-policy to noeviction", { primary, policy });
  };
  await Promise.allSettled(topology.primaries.map(ask));
}
