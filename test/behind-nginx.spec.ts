import { type Client, text } from "@fanfare/sdk-core";
import { connect } from "@fanfare/sdk-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  startTestServer,
  type TestServer,
  type TestServerOptions,
  tokenFor,
} from "../server/src/testing/test-server.ts";
import { startStandalone, until } from "../server/src/testing/valkey-processes.ts";
import { Nginx } from "./nginx.ts";
import { requireTool } from "./require-tool.ts";
import { silentAddress } from "./silent-address.ts";

const path = requireTool("nginx");
const hasValkey = requireTool("valkey-server") !== undefined;

describe.skipIf(path === undefined || !hasValkey)("two nodes behind nginx", () => {
  const opened = new AsyncDisposableStack();
  let options: TestServerOptions;
  let nodes: TestServer[];
  let addresses: URL[];
  let nginx: Nginx;
  const clients: Client[] = [];

  beforeAll(async () => {
    const valkey = opened.use(await startStandalone());
    options = { valkey, clusterKey: "signs the resume secrets of nodes behind nginx" };
    nodes = [];
    for (const nodeId of ["one", "two"]) nodes.push(opened.use(await startTestServer({ ...options, nodeId })));
    addresses = nodes.map(({ server }) => new URL(server.url));
    const urls = addresses.map(({ href }) => href);
    nginx = opened.use(await Nginx.start(path as string, urls));
    for (let i = 0; i < 10; i++) {
      const url = `${nginx.url.replace("http", "ws")}/v1/connect`;
      clients.push(await connect({ url, getToken: () => tokenFor(`player-${i}`) }));
    }
  }, 60_000);
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await opened.disposeAsync();
  });

  it("spreads clients over both, and brings each what the others say", async () => {
    const connections = nodes.map(({ counters }) => counters.connections);
    expect(connections).toEqual([5, 5]);
    const got = clients.map(() => [] as string[]);
    for (const [i, client] of clients.entries()) {
      const group = await client.join("lobby");
      group.on(text(), (value) => got[i]?.push(value));
    }
    for (const [i, client] of clients.entries()) await client.to({ group: "lobby" }).publish(text(), `from ${i}`);
    await until(async () => got.every((values) => values.length === clients.length));
    for (const values of got) expect(values).toEqual(clients.map((_, i) => `from ${i}`));
  });

  it("passes the control API on, also that for apps, and neither health nor metrics", async () => {
    for (const call of ["ControlService/ListNodes", "OperatorService/ListApps"]) {
      const request = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
      const refused = await fetch(`${nginx.url}/fanfare.control.v1.${call}`, request);
      expect(refused.status).toBe(401);
    }
    for (const inner of ["/readyz", "/metrics", "/"]) expect((await fetch(`${nginx.url}${inner}`)).status).toBe(404);
  });

  it("moves everybody to the other node when one is drained, and nobody misses anything", async () => {
    const got: string[][] = [];
    const trouble: string[] = [];
    for (const client of clients) {
      const values: string[] = [];
      got.push(values);
      client.broadcast.on("gap", () => trouble.push("gap"));
      client.on("status", ({ type }) => type === "waiting" && trouble.push("without a connection"));
      const group = await client.join("moving");
      group.on("gap", () => trouble.push("gap"));
      group.on(text(), (value) => values.push(value));
    }
    const [sender] = clients;
    let count = 0;
    let isOver = false;
    const talk = async (): Promise<void> => {
      while (!isOver) await sender?.to({ group: "moving" }).publish(text(), `${count++}`);
    };
    const talking = talk();
    await nodes[0]?.server.drain({ windowMs: 500, deadlineMs: 10_000 }).done;
    isOver = true;
    await talking;
    await until(async () => got.every((values) => values.length === count));
    for (const values of got) expect(values).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
    expect(trouble).toEqual([]);
    expect(nodes[1]?.counters.connections).toBe(10);
  }, 30_000);

  it("gives a node that comes back its share of the clients at once", async () => {
    const url = `${nginx.url.replace("http", "ws")}/v1/connect`;
    const join = async (name: string): Promise<void> => {
      clients.push(await connect({ url, getToken: () => tokenFor(name) }));
    };
    // Node one is away: each of these was refused by it, or is at the other one by chance.
    for (let i = 0; i < 12; i++) await join(`meanwhile-${i}`);
    const { port } = addresses[0]!;
    const back = opened.use(await startTestServer({ ...options, nodeId: "one-again", port: Number(port) }));
    for (let i = 0; i < 12; i++) await join(`afterwards-${i}`);
    expect(back.counters.connections).toBeGreaterThanOrEqual(4);
  }, 30_000);
});

describe.skipIf(path === undefined)("behind nginx, beside a machine that is gone without a word", () => {
  it("control calls and clients come to the other node after a second, as often as the gone one has its turn", async () => {
    await using gone = await silentAddress();
    await using node = await startTestServer({ nodeId: "alone" });
    await using nginx = await Nginx.start(path as string, [gone.url, node.server.url]);
    const request = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    const call = `${nginx.url}/fanfare.control.v1.ControlService/ListNodes`;
    for (let i = 0; i < 4; i++) {
      const answer = await fetch(call, { ...request, signal: AbortSignal.timeout(5_000) });
      expect(answer.status).toBe(401);
    }
    const url = `${nginx.url.replace("http", "ws")}/v1/connect`;
    for (let i = 0; i < 2; i++) {
      const client = await connect({ url, getToken: () => tokenFor(`player-${i}`) });
      await client.close();
    }
  }, 30_000);
});
