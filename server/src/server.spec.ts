import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import type { ResolvedListen } from "./config/resolved-config.ts";
import { createLog } from "./observe/log.ts";
import { type FanfareServer, startServer } from "./server.ts";
import { startTestServer } from "./testing/test-server.ts";
import { startStandalone, until, type ValkeyServers } from "./testing/valkey-processes.ts";

describe.skipIf(requireTool("valkey-server") === undefined)("a server that cannot listen", () => {
  let valkey: ValkeyServers;
  beforeAll(async () => {
    valkey = await startStandalone();
  });
  afterAll(() => valkey?.[Symbol.asyncDispose]());

  /** What another node logs of one that starts, when that has ended. */
  async function toldOf(listenOf: (busy: ResolvedListen) => ResolvedListen): Promise<string[]> {
    const messages: string[] = [];
    const log = createLog({ level: "info", nowMs: Date.now, sink: ({ message }) => void messages.push(message) });
    await using one = await startTestServer({ valkey, nodeId: "one", log });
    await expect(startTwo(one.server, listenOf)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await until(async () => messages.some((message) => /^a node (has left|is gone)$/.test(message)));
    return messages.filter((message) => message.startsWith("a node "));
  }

  function startTwo({ node, url }: FanfareServer, listenOf: (busy: ResolvedListen) => ResolvedListen) {
    const busy = { ...node.config.listen, port: Number(new URL(url).port) };
    return startServer({ config: { ...node.config, nodeId: "two", listen: listenOf(busy) } });
  }

  it("leaves the cluster that it has joined, in order", async () => {
    expect(await toldOf((busy) => busy)).toEqual(["a node has joined", "a node has left"]);
  });

  it("leaves it when only its second address is taken", async () => {
    const listenOf = (busy: ResolvedListen) => ({ ...busy, port: 0, additional: [busy] });
    expect(await toldOf(listenOf)).toEqual(["a node has joined", "a node has left"]);
  });
});
