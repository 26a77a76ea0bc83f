import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { systemClock } from "./clock.ts";
import type { ResolvedValkey } from "./config/resolved-valkey.ts";
import { silentLog } from "./observe/log.ts";
import { appendOf, newChannel, stored } from "./testing/log-under-test.ts";
import { startStandalone, type ValkeyServers } from "./testing/valkey-processes.ts";
import { glideConnector, type ValkeyConnector } from "./valkey/valkey-client.ts";
import { ValkeyBackend } from "./valkey-backend.ts";

describe.skipIf(requireTool("valkey-server") === undefined)("what is configured of Valkey", () => {
  let servers: ValkeyServers;
  beforeAll(async () => {
    servers = await startStandalone(1);
  });
  afterAll(() => servers?.[Symbol.asyncDispose]());

  /** How long a change and an append wait for a replica, in milliseconds. */
  async function waits(timeouts: Partial<ResolvedValkey>): Promise<{ change: number; append: number }> {
    const waited: number[] = [];
    const connector: ValkeyConnector = {
      ...glideConnector,
      async connect(options) {
        const client = await glideConnector.connect(options);
        return {
          send: (...args) => client.send(...args),
          pipeline(commands, ...rest) {
            for (const [name, , ms] of commands) if (name === "WAIT") waited.push(Number(ms));
            return client.pipeline(commands, ...rest);
          },
          close: () => client.close(),
        };
      },
    };
    const valkey = { addresses: servers.addresses, cluster: false, keyPrefix: "fanfare", requestTimeoutMs: 2000 };
    const options = { valkey: { ...valkey, ...timeouts }, clock: systemClock, log: silentLog, connector };
    await using backend = await ValkeyBackend.open(options);
    const added = () => backend.broker.memberships.add("game", "ann", "chat:x", 10);
    const [first] = [await added(), await added()].map(() => waited.splice(0).at(-1));
    await stored(backend.stores.messageLog, appendOf(newChannel(), 1));
    return { change: first ?? 0, append: waited.at(-1) ?? 0 };
  }

  it("bounds the wait for a replica, of an append not below what a replica takes that has just joined", async () => {
    expect(await waits({})).toEqual({ change: 300, append: 1500 });
    expect(await waits({ waitTimeoutMs: 100 })).toEqual({ change: 100, append: 1500 });
    expect(await waits({ waitTimeoutMs: 4000 })).toEqual({ change: 4000, append: 4000 });
  });
});
