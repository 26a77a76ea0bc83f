import { describe, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { startCluster, startStandalone, until, type ValkeyServers } from "../testing/valkey-processes.ts";
import { glideConnector, publishCommand } from "./valkey-client.ts";

const channels = Array.from({ length: 16 }, (_, i) => `test:{${i}}:inbox`);

describe.skipIf(requireTool("valkey-server") === undefined)("a subscriber", () => {
  for (const [name, start] of [
    ["one Valkey", () => startStandalone()],
    ["a Valkey cluster, 3 + 3", startCluster],
  ] as [string, () => Promise<ValkeyServers>][]) {
    it(`receives bytes on every channel of ${name}, and none when it is closed`, async () => {
      await using servers = await start();
      const valkey = { addresses: servers.addresses, cluster: servers.isCluster, requestTimeoutMs: 2000 };
      const client = await glideConnector.connect(valkey);
      const received: string[] = [];
      const subscriber = await glideConnector.subscribe(valkey, channels, (channel, bytes) =>
        received.push(`${channel} ${Buffer.from(bytes).toString("hex")}`),
      );
      const publish = (channel: string) => client.send(publishCommand(valkey.cluster, channel, Buffer.from([0, 255])));
      await until(async () => (await Promise.all(channels.map(publish))).every((receivers) => receivers === 1));
      await until(async () => channels.every((channel) => received.includes(`${channel} 00ff`)));
      subscriber.close();
      await until(async () => (await Promise.all(channels.map(publish))).every((receivers) => receivers === 0));
      client.close();
    }, 60_000);
  }
});
