import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { FaultProxy } from "./fault-proxy.ts";
import type { FaultAction, FaultRule } from "./fault-rule.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

/** Answers each ping of a client with a pong under its id, and closes with 4100 on `disconnect`. */
async function echo(): Promise<string> {
  const http = createServer();
  const handleProtocols = (offered: Set<string>) => [...offered].at(-1) ?? false;
  const sockets = new WebSocketServer({ server: http, path: "/v1/connect", handleProtocols, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) return socket.send(data, { binary: false });
      for (const { id, kind } of fromBinary(ClientFramesSchema, data).frames) {
        if (kind.case === "disconnect") socket.close(4100, "enough");
        const pong = create(ServerFrameSchema, { id, kind: { case: "pong", value: {} } });
        if (kind.case === "ping")
          socket.send(toBinary(ServerFramesSchema, create(ServerFramesSchema, { frames: [pong] })));
      }
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  opened.push({
    async [Symbol.asyncDispose]() {
      for (const one of sockets.clients) one.terminate();
      await new Promise((resolve) => http.close(resolve));
    },
  });
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/connect`;
}

interface Dialed {
  readonly socket: WebSocket;
  /** Resolves with the ids of that many pongs. */
  ids(count: number): Promise<number[]>;
  readonly closed: Promise<number>;
  ping(...ids: number[]): void;
}

async function dial(url: string, protocols = ["fanfare.v1.proto"]): Promise<Dialed> {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
  const ids: number[] = [];
  let wake = () => {};
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) ids.push(...fromBinary(ServerFramesSchema, data).frames.map(({ id }) => id));
    wake();
  });
  socket.on("error", () => {});
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const frames = (list: ClientFrame[]) =>
    socket.send(toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames: list })));
  return {
    socket,
    closed,
    ping: (...list) =>
      frames(list.map((id) => create(ClientFrameSchema, { id, kind: { case: "ping", value: { sentAtUs: 1n } } }))),
    async ids(count) {
      while (ids.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return ids;
    },
  };
}

async function proxied() {
  const proxy = await FaultProxy.start({ upstreams: [await echo()] });
  opened.push(proxy);
  return { proxy, url: proxy.urls[0] ?? "" };
}

function rule(action: FaultAction, more: Partial<FaultRule> = {}): FaultRule {
  return { name: "one", connection: 0, point: "toClient", pattern: { pong: {} }, nth: 1, times: 0, action, ...more };
}

const cut = { kind: "cut", closeCode: 0, reset: false, pass: false, serverStands: false, httpStatus: 0 } as const;

describe("FaultProxy", () => {
  it("passes everything on as it is while there is no rule", async () => {
    const { url } = await proxied();
    const one = await dial(url, ["other", "fanfare.v1.proto"]);
    expect(one.socket.protocol).toBe("fanfare.v1.proto");
    one.ping(1, 2);
    expect(await one.ids(2)).toEqual([1, 2]);
    const text = new Promise((resolve) => one.socket.once("message", (data: Buffer) => resolve(data.toString())));
    one.socket.send("no frame");
    expect(await text).toBe("no frame");
    const pong = new Promise((resolve) => one.socket.once("pong", (data: Buffer) => resolve(data.toString())));
    one.socket.ping("control");
    expect(await pong).toBe("control");
    one.socket.send(
      toBinary(
        ClientFramesSchema,
        create(ClientFramesSchema, { frames: [{ kind: { case: "disconnect", value: {} } }] }),
      ),
    );
    expect(await one.closed).toBe(4100);
  });

  it("passes on the status of a refused upgrade", async () => {
    const { url } = await proxied();
    const socket = new WebSocket(url.replace("/v1/connect", "/elsewhere"), ["fanfare.v1.proto"]);
    socket.on("error", () => {});
    const status = await new Promise((resolve) =>
      socket.once("unexpected-response", (_, { statusCode }) => resolve(statusCode)),
    );
    expect(status).toBe(400);
  });

  it("drops, duplicates and rewrites the frames that a rule names, and no others", async () => {
    const { proxy, url } = await proxied();
    proxy.change([
      rule({ kind: "drop" }, { pattern: { id: 2 } }),
      rule({ kind: "duplicate", count: 2 }, { pattern: { id: 3 } }),
      rule({ kind: "rewrite", patch: { id: 99 } }, { pattern: { id: 4 } }),
    ]);
    const one = await dial(url);
    one.ping(1, 2, 3, 4, 5);
    expect(await one.ids(6)).toEqual([1, 3, 3, 3, 99, 5]);
  });

  it("counts the frames that match", async () => {
    const { proxy, url } = await proxied();
    proxy.change([rule({ kind: "drop" }, { nth: 2, times: 2 })]);
    const one = await dial(url);
    one.ping(1, 2, 3, 4, 5);
    expect(await one.ids(3)).toEqual([1, 4, 5]);
  });

  it("lets frames overtake one, and everything wait behind a delayed one", async () => {
    const { proxy, url } = await proxied();
    proxy.change([
      rule({ kind: "reorder", count: 2 }, { pattern: { id: 1 } }),
      rule({ kind: "delay", ms: 20 }, { pattern: { id: 4 } }),
    ]);
    const one = await dial(url);
    one.ping(1, 2, 3, 4, 5);
    expect(await one.ids(5)).toEqual([2, 3, 1, 4, 5]);
  });

  it("stalls one direction until the rule is lifted", async () => {
    const { proxy, url } = await proxied();
    proxy.change([rule({ kind: "stall" }, { point: "toServer", pattern: { id: 2 } })]);
    const one = await dial(url);
    one.ping(1, 2, 3);
    expect(await one.ids(1)).toEqual([1]);
    proxy.change([], ["one"]);
    expect(await one.ids(3)).toEqual([1, 2, 3]);
  });

  it("closes with a code, or resets, at a frame of one connection", async () => {
    const { proxy, url } = await proxied();
    proxy.change([
      rule({ ...cut, closeCode: 4202, pass: true }, { connection: 2, nth: 2 }),
      rule({ ...cut, reset: true }, { connection: 3 }),
    ]);
    const [one, two, three] = [await dial(url), await dial(url), await dial(url)];
    for (const each of [one, two, three]) each.ping(1, 2, 3);
    expect(await one.ids(3)).toEqual([1, 2, 3]);
    expect(await two.closed).toBe(4202);
    expect(await two.ids(2)).toEqual([1, 2]);
    expect(await three.closed).toBe(1006);
    expect(await three.ids(0)).toEqual([]);
    expect(proxy.standing).toHaveLength(1);
  });

  it("refuses a connection by a status", async () => {
    const { proxy, url } = await proxied();
    proxy.change([rule({ ...cut, httpStatus: 503 }, { point: "opening", pattern: {}, nth: 2, times: 1 })]);
    await dial(url);
    await expect(dial(url)).rejects.toThrow("503");
    await dial(url);
  });

  it("shows a tap what each side said and got", async () => {
    const seen: string[] = [];
    const note =
      (what: string) =>
      ({ frames = [] }: { frames: readonly unknown[] | undefined }) =>
        void seen.push(`${what} ${frames.length}`);
    const proxy = await FaultProxy.start({
      upstreams: [await echo()],
      watch: (number) => ({
        clientSaid: note(`${number} client said`),
        serverGot: note(`${number} server got`),
        serverSaid: note(`${number} server said`),
        clientGot: note(`${number} client got`),
        ended: (by, code) => seen.push(`${number} ended by ${by} ${code}`),
      }),
    });
    opened.push(proxy);
    proxy.change([rule({ kind: "drop" })]);
    const one = await dial(proxy.urls[0] ?? "");
    one.ping(1);
    one.ping(2);
    one.socket.send(
      toBinary(
        ClientFramesSchema,
        create(ClientFramesSchema, { frames: [{ kind: { case: "disconnect", value: {} } }] }),
      ),
    );
    await one.closed;
    expect(seen.filter((text) => !text.includes("server"))).toEqual([
      "1 client said 1",
      "1 client said 1",
      "1 client said 1",
    ]);
    expect(seen.filter((text) => text.includes("server said"))).toHaveLength(2);
    expect(seen.filter((one) => one.includes("ended"))).toEqual(["1 ended by server 4100"]);
  });
});
