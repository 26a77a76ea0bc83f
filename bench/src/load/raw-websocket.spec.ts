import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { opcodes } from "./frame-parser.ts";
import { openRawWebSocket } from "./raw-websocket.ts";

/** Held against `ws`, which checks masks, lengths and the upgrade as the standard asks. */
describe("openRawWebSocket", () => {
  const servers: WebSocketServer[] = [];

  async function listen(options: ConstructorParameters<typeof WebSocketServer>[0] = {}): Promise<WebSocketServer> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, ...options });
    servers.push(server);
    await once(server, "listening");
    return server;
  }

  const portOf = (server: WebSocketServer): number => (server.address() as AddressInfo).port;

  afterEach(() => {
    for (const server of servers.splice(0)) {
      for (const client of server.clients) client.terminate();
      server.close();
    }
  });

  it("sends and receives messages of every size, in the subprotocol asked for", async () => {
    const server = await listen({ handleProtocols: (offered) => [...offered][0] ?? false });
    server.on("connection", (socket: WebSocket) => socket.on("message", (data) => socket.send(data)));
    const lengths = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
    const received: Uint8Array[] = [];
    const all = Promise.withResolvers<void>();
    const socket = await openRawWebSocket({
      host: "127.0.0.1",
      port: portOf(server),
      path: "/",
      protocol: "fanfare.v1.proto",
      onMessage: (opcode, bytes, start, end) => {
        expect(opcode).toBe(opcodes.binary);
        if (received.push(new Uint8Array(bytes.subarray(start, end))) === lengths.length) all.resolve();
      },
      onClose: (reason) => all.reject(new Error(reason)),
    });
    expect([...server.clients][0]?.protocol).toBe("fanfare.v1.proto");
    const sent = lengths.map((length) => Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff));
    for (const payload of sent) socket.send(opcodes.binary, payload);
    await all.promise;
    expect(received.map((bytes, index) => Buffer.compare(bytes, sent[index]!))).toEqual(lengths.map(() => 0));
    socket.destroy();
  });

  it("tells when the server ends the connection, and says nothing after destroy", async () => {
    const server = await listen();
    const reasons: string[] = [];
    const closed = Promise.withResolvers<void>();
    const options = { host: "127.0.0.1", port: portOf(server), path: "/", onMessage: () => {} };
    const first = await openRawWebSocket({ ...options, onClose: (reason) => reasons.push(`first ${reason}`) });
    first.destroy();
    await openRawWebSocket({
      ...options,
      onClose: (reason) => {
        reasons.push(reason);
        closed.resolve();
      },
    });
    for (const client of server.clients) client.terminate();
    await closed.promise;
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).not.toContain("first");
  });

  it("rejects with the status line when the upgrade is refused", async () => {
    const server = await listen({ verifyClient: () => false });
    const opening = openRawWebSocket({
      host: "127.0.0.1",
      port: portOf(server),
      path: "/",
      onMessage: () => {},
      onClose: () => {},
    });
    await expect(opening).rejects.toThrow("HTTP/1.1 401 Unauthorized");
  });
});
