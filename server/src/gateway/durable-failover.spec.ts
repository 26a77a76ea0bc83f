import { type Message, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { logKeys } from "../log/valkey/log-keys.ts";
import { type TestClient, textOf } from "../testing/test-client.ts";
import { startTestServer } from "../testing/test-server.ts";
import { openValkeyLog } from "../testing/valkey-log.ts";
import { startCluster, until } from "../testing/valkey-processes.ts";

const group = "durable:log";
const features = ["resume", "durable", "history", "cursor"];

describe.skipIf(requireTool("valkey-server") === undefined)("a durable channel whose primary is killed", () => {
  it("loses and doubles nothing for those who are connected, and keeps the order", async () => {
    await using servers = await startCluster();
    await using under = await openValkeyLog(servers, { callTimeoutMs: 20_000, sendTimeoutMs: 20_000 });
    const stores = { messageLog: under.log, cursorStore: under.cursors };
    await using fixture = await startTestServer({ stores });
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
  }, 90_000);
});

function expectChained(messages: readonly Message[]): void {
  let previous: Message | undefined;
  for (const message of messages) {
    expect(message.log?.offset).toBe((previous?.log?.offset ?? 0n) + 1n);
    expect(message.log?.previousTag).toBe(previous?.log?.tag ?? 0);
    previous = message;
  }
}
