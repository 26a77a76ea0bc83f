import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { CloseCode, ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { until, within } from "../testing/test-client.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

/** A TCP connection that has sent an upgrade request. */
async function rawUpgrade({ server }: TestServer, path: string, headers: string[] = []): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  await once(socket, "connect");
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: fanfare.v1.proto",
    ...headers,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return socket;
}

async function closeOf(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  await within(once(socket, "close"), () => "the end of the TCP connection");
}

describe("the upgrade", () => {
  it("answers another path with 404 and lets the socket go, also when the client does not", async () => {
    await using server = await startTestServer();
    const socket = await rawUpgrade(server, "/v1/elsewhere");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /);
    socket.resume();
    await closeOf(socket);
  });

  it("outlives a client that resets the connection at another path", async () => {
    await using server = await startTestServer();
    for (let i = 0; i < 20; i++) {
      const socket = await rawUpgrade(server, "/v1/elsewhere");
      socket.resetAndDestroy();
    }
    await server.join("alice");
  });

  it("outlives clients that reset the connection during and after the upgrade", async () => {
    await using server = await startTestServer();
    for (let i = 0; i < 20; i++) {
      const socket = await rawUpgrade(server, "/v1/connect");
      if (i % 2 === 0) await once(socket, "data");
      socket.resetAndDestroy();
    }
    await server.join("alice");
  });

  it("tells who is refused, as long as few are, and cuts a flood of them", async () => {
    await using server = await startTestServer({ limits: { maxUnauthenticated: 2 }, additionalListeners: 1 });
    server.server.drainListener(0, 1);
    const told = [await rawUpgrade(server, "/v1/connect"), await rawUpgrade(server, "/v1/connect")];
    for (const socket of told) {
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.toString("latin1")).toMatch(/^HTTP\/1\.1 101 /);
    }
    const cut = await rawUpgrade(server, "/v1/connect");
    const received: Buffer[] = [];
    cut.on("data", (data: Buffer) => received.push(data));
    await closeOf(cut);
    expect(received).toEqual([]);
    for (const socket of told) socket.destroy();
    let again: { code: number } | undefined;
    while (again === undefined) {
      again = await server.dial().then(
        (client) => client.ended(),
        () => undefined, // the server has not noticed yet that the others are gone
      );
    }
    expect(again.code).toBe(CloseCode.GOING_AWAY);
  });

  it("answers what is no WebSocket upgrade with an HTTP status", async () => {
    await using server = await startTestServer();
    for (const [name, value, status] of [
      ["Sec-WebSocket-Version", "99", /^HTTP\/1\.1 (400|426) /],
      ["Sec-WebSocket-Key", "short", /^HTTP\/1\.1 400 /],
    ] as const) {
      const socket = await rawUpgrade(server, "/v1/connect", [`${name}: ${value}`]);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(answer.toString(), name).toMatch(status);
      socket.resume();
      await closeOf(socket);
    }
  });
});

describe("the end of a connection", () => {
  it("comes with 4011 for a message that is too large, and ends the session", async () => {
    await using server = await startTestServer({ limits: { maxFrameBytes: 2048 } });
    const client = await server.join("alice", { hello: { features: ["resume"] } });
    client.sendRaw(new Uint8Array(2049));
    expect((await client.ended()).code).toBe(CloseCode.TOO_LARGE);
    expect(server.hub().sessions.size).toBe(0);
    await until(() => server.counters.connections === 0, "the connection to be gone");
    expect([...server.counters.closesByCode]).toEqual([[CloseCode.TOO_LARGE, 1]]);
  });

  it("comes with 4001 for bytes that are no frame, after an error frame", async () => {
    await using server = await startTestServer();
    const cases: [protocol: string, message: string | Uint8Array][] = [
      ["fanfare.v1.proto", Uint8Array.of(0x0a, 0x7f, 1)],
      ["fanfare.v1.proto", new Uint8Array(2048).fill(0x1b)],
      ["fanfare.v1.proto", '{"frames":[]}'],
      ["fanfare.v1.json", "{"],
      ["fanfare.v1.json", '{"frames":{}}'],
      ["fanfare.v1.json", '{"frames":[{"id":-1}]}'],
      ["fanfare.v1.json", "[".repeat(50_000)],
      ["fanfare.v1.json", new TextEncoder().encode('{"frames":[]}')],
    ];
    for (const [protocol, message] of cases) {
      const client = await server.join("alice", { protocol, hello: { features: ["resume"] } });
      client.sendRaw(message);
      expect((await client.ended()).code, String(message).slice(0, 40)).toBe(CloseCode.PROTOCOL_ERROR);
      const last = client.frames.at(-1)?.kind;
      expect(last?.case === "error" && last.value.code).toBe(ErrorCode.MALFORMED);
      expect(server.hub().sessions.size).toBe(0);
    }
  });

  it("comes with the standard code for what is no WebSocket, and the session waits", async () => {
    await using server = await startTestServer();
    const cases: [bytes: number[], code: number][] = [
      [[0x83, 0x80, 0, 0, 0, 0], 1002], // an opcode that is reserved
      [[0x82, 0x01, 0x00], 1002], // not masked
      [[0xc2, 0x80, 0, 0, 0, 0], 1002], // a reserved bit
      [[0x80, 0x80, 0, 0, 0, 0], 1002], // a continuation of nothing
      [[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007], // text that is no UTF-8
    ];
    for (const [bytes, code] of cases) {
      const client = await server.join("alice", { hello: { features: ["resume"] } });
      client.tcp.write(Uint8Array.from(bytes));
      expect((await client.ended()).code).toBe(code);
      expect(server.hub().sessions.get(client.welcome!.sessionId)?.link).toBeUndefined();
    }
    expect(server.hub().sessions.size).toBe(cases.length);
  });

  it("begins with the client's close: nothing is sent behind the server's answer to it", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice", { hello: { features: ["resume"] } });
    const other = await server.join("bob", { hello: { features: ["report"] } });
    const [session] = server.hub().sessionsOf("alice");
    // A client that says close and then keeps its half of the TCP connection open.
    const received: Buffer[] = [];
    client.tcp.removeAllListeners("data").on("data", (data: Buffer) => received.push(data));
    client.tcp.write(Uint8Array.from([0x88, 0x82, 0, 0, 0, 0, 1001 >> 8, 1001 & 0xff]));
    await until(() => session?.link === undefined, "the session to be without its connection");
    const result = await other.publish({ case: "player", value: "alice" }, "late", { wantReport: true });
    expect(result.report).toMatchObject({ reached: 0, detached: 1 });
    await closeOf(client.tcp);
    expect([...Buffer.concat(received)]).toEqual([0x88, 2, 1001 >> 8, 1001 & 0xff]);
  });

  it("is answered with the client's own code", async () => {
    await using server = await startTestServer();
    for (const code of [1000, 1001, 1009, 3000, 4000, 4001, 4101, 4999]) {
      const client = await server.join("alice", { hello: { features: ["resume"] } });
      expect((await client.close(code, "bye")).code).toBe(code);
    }
    const client = await server.join("alice");
    expect((await client.close()).code).toBe(1005);
  });
});
