import { type Message, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { logKeys } from "../log/valkey/log-keys.ts";
import { createLog } from "../observe/log.ts";
import { textSink } from "../observe/log-sink.ts";
import { type TestClient, textOf } from "../testing/test-client.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { startCluster, until } from "../testing/valkey-processes.ts";

const group = "durable:log";
const features = ["resume", "durable", "history", "cursor"];

describe.skipIf(requireTool("valkey-server") === undefined)("a durable channel whose primary is killed", () => {
  it("loses and doubles nothing for those who are connected, keeps the order, and lets its operator see what happened", async () => {
    await using servers = await startCluster();
    const lines: string[] = [];
    const log = createLog({ level: "info", sink: textSink((line) => lines.push(line)), nowMs: Date.now });
    const valkeySettings = { retryForMs: 20_000, requestTimeoutMs: 500 };
    await using fixture = await startTestServer({ valkey: servers, valkeySettings, log });
    const join = (player: string) => fixture.join(player, { hello: { features } });
    const readers = await Promise.all(["r1", "r2", "r3"].map(join));
    for (const reader of readers) await reader.subscribe(group);

    const stored = new Map<string, bigint>();
    let isStopped = false;
    const publish = async (client: TestClient, name: string) => {
      for (let i = 1; !isStopped; i++) {
        const { outcome, position } = await client.publish(group, `${name}/${i}`);
        expect(outcome).toBe(Outcome.STORED);
        stored.set(`${name}/${i}`, position?.offset ?? 0n);
      }
    };
    const publishing = (await Promise.all(["p1", "p2"].map(join))).map((client, i) => publish(client, `p${i + 1}`));
    await until(async () => stored.size > 40);
    const key = logKeys("fanfare", { appId: "a", key: `g:${group}` }).stream;
    const victim = await servers.primaryOf(key);
    await victim.kill();
    const before = stored.size;
    await until(async () => stored.size > before + 40);
    isStopped = true;
    await Promise.all(publishing);

    for (const reader of readers) {
      const received = await reader.received(stored.size);
      expect(received).toHaveLength(stored.size);
      expectChained(received);
      for (const message of received) expect(stored.get(textOf(message))).toBe(message.log?.offset);
    }
    await expectToldBy(fixture, lines);
  }, 90_000);
});

/** A failover is in the log of a node, and moves its figures. */
async function expectToldBy({ server }: TestServer, lines: readonly string[]): Promise<void> {
  const figures = async () => await (await fetch(`${server.url}/metrics`)).text();
  await until(async () => /^fanfare_broker_lanes_down 0$/m.test(await figures()));
  const metrics = await figures();
  for (const grown of [
    'shard_events_total{event="another_primary"}',
    'shard_events_total{event="failed"}',
    'clients_replaced_total{client="commands"}',
    'clients_replaced_total{client="subscriber"}',
    'clients_replaced_total{client="log"}',
    "lane_failures_total",
    "lane_probes_lost_total",
  ]) {
    expect(metrics.split("\n")).toContainEqual(
      expect.stringMatching(new RegExp(`^fanfare_broker_${literal(grown)} [1-9]`)),
    );
  }
  expect(metrics).toMatch(/^fanfare_broker_shards_failing 0$/m);
  for (const told of [
    /WARN +a primary of valkey does not answer primary=\w+/i,
    /INFO +slots of valkey have another primary from=\w+ to=\w+ slots=\d+/i,
    /WARN +valkey client replaced, because it did not recover client=routes/i,
    /WARN +valkey client replaced, because it did not recover client="log, waiting"/i,
    /WARN +valkey subscriber replaced, because lanes .* lanes=/i,
    /WARN +lanes do not work shard=\w+ lanes=/i,
    /INFO +lanes work shard=\w+ lanes=/i,
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(told));
  }
}

function literal(text: string): string {
  return text.replaceAll(/[{}"]/g, "\\$&");
}

function expectChained(messages: readonly Message[]): void {
  let previous: Message | undefined;
  for (const message of messages) {
    expect(message.log?.offset).toBe((previous?.log?.offset ?? 0n) + 1n);
    expect(message.log?.previousTag).toBe(previous?.log?.tag ?? 0);
    previous = message;
  }
}
