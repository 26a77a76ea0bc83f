import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { testSeed } from "../../../../test/test-seed.ts";
import { appendOf, filled, newChannel, page, stored } from "../../testing/log-under-test.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startStandalone } from "../../testing/valkey-processes.ts";
import { connectValkey, type Reply, type ValkeyClient } from "../../valkey/valkey-client.ts";
import type { ValkeyOptions } from "../../valkey/valkey-options.ts";
import type { LogMessage } from "../message-log.ts";

/** What becomes of a group on its way. */
type Fate = "arrives" | "is lost" | "its answer is lost" | "an answer in it is lost";

/** A real client on a connection that fails as it is told: once for each group, then no more. */
class FailingClient implements ValkeyClient {
  fates: Fate[] = [];
  readonly #client: ValkeyClient;

  constructor(client: ValkeyClient) {
    this.#client = client;
  }

  send(...args: Parameters<ValkeyClient["send"]>): Promise<Reply> {
    return this.#client.send(...args);
  }

  async pipeline(...args: Parameters<ValkeyClient["pipeline"]>): Promise<readonly Reply[]> {
    const fate = this.fates.shift() ?? "arrives";
    if (fate === "is lost") throw new Error("Broken pipe");
    const replies = await this.#client.pipeline(...args);
    if (fate === "its answer is lost") throw new Error("timed out");
    return fate === "an answer in it is lost" ? [new Error("timed out"), ...replies.slice(1)] : replies;
  }

  close(): void {
    this.#client.close();
  }
}

describe.skipIf(requireTool("valkey-server") === undefined)("appends whose groups or answers are lost", () => {
  it("are stored once and in order, and answered with their positions (100 random runs)", {
    timeout: 120_000,
  }, async () => {
    await using servers = await startStandalone(1);
    const clients: FailingClient[] = [];
    const connect = async (valkey: ValkeyOptions) => {
      clients.push(new FailingClient(await connectValkey(valkey)));
      return clients.at(-1) as FailingClient;
    };
    await using under = await openValkeyLog(servers, { connect });
    const fate = fc.constantFrom<Fate>("arrives", "is lost", "its answer is lost", "an answer in it is lost");
    const run = fc.asyncProperty(
      fc.array(fate, { maxLength: 5 }),
      fc.integer({ min: 1, max: 20 }),
      async (fates, count) => {
        const channel = newChannel();
        for (const client of clients) client.fates = [...fates];
        const positions = await filled(under.log, channel, count);
        for (const client of clients) client.fates = [];
        const { items } = await page(under.log, channel);
        expect((items as LogMessage[]).map(({ seq }) => seq)).toEqual(positions.map((_, i) => i + 1));
        expect(items.map(({ tag }) => tag)).toEqual(positions.map(({ tag }) => tag));
        expect(await stored(under.log, appendOf(channel, count))).toMatchObject({
          repeated: true,
          position: positions.at(-1),
        });
      },
    );
    await fc.assert(run, { numRuns: 100, seed: testSeed });
    expect(under.connections.clientCounts.replaced).toBe(0);
  });
});
