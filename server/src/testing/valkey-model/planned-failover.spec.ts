import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { glideConnector, type ValkeyClient, type ValkeyConnector } from "../../valkey/valkey-client.ts";
import { failOver, startCluster, until, untilSettled } from "../valkey-processes.ts";
import { openModelValkey } from "./model-valkey.ts";
import { maxGossipMs } from "./valkey-model-options.ts";

/** A cluster, real or not, with what this is about. */
interface Shard extends AsyncDisposable {
  readonly client: ValkeyClient;
  readonly connector: Pick<ValkeyConnector, "subscribe">;
  pause(ms: number): Promise<void>;
  /** Has the replica of the channel's primary take over, and waits until all servers know it. */
  failOver(): Promise<void>;
}

const channel = "x:{a}:inbox";

async function realShard(): Promise<Shard> {
  const servers = await startCluster();
  const options = { addresses: servers.addresses, cluster: true, requestTimeoutMs: 500 };
  const client = await glideConnector.connect(options);
  return {
    client,
    connector: { subscribe: (_, ...rest) => glideConnector.subscribe(options, ...rest) },
    pause: delay,
    failOver: async () => {
      const primary = await servers.primaryOf(channel);
      const replica = await failOver(servers, primary);
      const isDemoted = async () => (await primary.command("ROLE")).startsWith("slave");
      await until(async () => (await servers.primaryOf(channel)) === replica && (await isDemoted()));
    },
    [Symbol.asyncDispose]: async () => {
      client.close();
      await untilSettled(servers);
      await servers[Symbol.asyncDispose]();
    },
  };
}

async function modelledShard(): Promise<Shard> {
  const { model, client, process, driver, simulation } = await openModelValkey({ shards: 3, replicas: 1 });
  return {
    client,
    connector: driver.wrap(model.connectorFor(process)),
    pause: (ms) => driver.settle(simulation.sleep(ms)),
    failOver: async () => {
      model.failOver(model.shardOfKey(channel));
      await driver.settle(simulation.sleep(maxGossipMs));
    },
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

describe.skipIf(requireTool("valkey-server") === undefined).each([
  { name: "a real cluster", open: realShard },
  { name: "the model", open: modelledShard },
])("a planned failover of $name", ({ open }) => {
  it("ends subscriptions, and leads those who publish to the replica until a command with a key shows them the primary", async () => {
    await using shard = await open();
    const { client, connector, pause } = shard;
    const arrived: string[] = [];
    const listen = (name: string) =>
      connector.subscribe({ addresses: [], cluster: true }, [channel], (_, bytes) => {
        arrived.push(`${name} ${Buffer.from(bytes)}`);
      });
    /** What is answered, and who received it. */
    const publish = async (text: string): Promise<string> => {
      const [receivers] = await client.pipeline([["SPUBLISH", channel, text]], "{a}", 500);
      await pause(30);
      return [receivers, ...arrived.splice(0)].join(", ");
    };
    const first = await listen("first");
    await pause(100);
    expect(await publish("1")).toBe("1, first 1");
    await shard.failOver();
    first.close(); // before it has come back, which takes GLIDE seconds
    expect(await publish("2")).toBe("0");
    const second = await listen("second");
    await pause(500);
    expect(await publish("3")).toBe("0, second 3");
    await client.pipeline([["GET", "{a}"]], "{a}", 500);
    await pause(50);
    expect(await publish("4")).toBe("1, second 4");
    second.close();
  }, 60_000);
});
