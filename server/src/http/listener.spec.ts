import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { LoopbackCertificate } from "../control/testing/loopback-certificate.ts";
import { within } from "../testing/test-client.ts";
import { Listener, type ListenerOptions } from "./listener.ts";

async function open(options: Partial<ListenerOptions>): Promise<Listener & AsyncDisposable> {
  const listener = new Listener({
    ...{ host: "127.0.0.1", port: 0, tls: undefined, index: 0, maxSockets: 10, headTimeoutMs: 60_000 },
    onUpgrade: () => {},
    onRequest: (_, response) => response.end("served"),
    onDropped: () => {},
    ...options,
  });
  await listener.open();
  return Object.assign(listener, { [Symbol.asyncDispose]: () => listener.close() });
}

function dial({ port }: Listener): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.resume();
  return socket;
}

describe("a listener", () => {
  it("closes sockets past its bound as they come, and takes others when some have gone", async () => {
    let dropped = 0;
    await using listener = await open({ maxSockets: 2, onDropped: () => dropped++ });
    const [first, second] = [dial(listener), dial(listener)];
    await Promise.all([once(first, "connect"), once(second, "connect")]);
    const third = dial(listener);
    await within(once(third, "close"), () => "the third to be closed");
    expect(dropped).toBe(1);
    first.destroy();
    second.destroy();
    for (;;) {
      const answer = await fetch(listener.url).then(
        (response) => response.text(),
        () => undefined,
      );
      if (answer === "served") break;
    }
  });

  it.each(["", "GET / HT"])("closes a socket whose request does not come: %j", async (beginning) => {
    await using listener = await open({ headTimeoutMs: 50 });
    const socket = dial(listener);
    socket.write(beginning);
    await within(once(socket, "close"), () => "the socket to be closed");
    expect(socket.destroyed).toBe(true);
  });
});

/** The timer of the system for the server's side of a connection: 2 is that of keepalive. */
async function systemTimer(port: number): Promise<number | undefined> {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
  const [row] = rows.filter(([, local, , state]) => local?.endsWith(ending) && state === "01");
  return row?.[5] === undefined ? undefined : Number(row[5].split(":")[0]);
}

describe.skipIf(process.platform !== "linux")("a listener's sockets", () => {
  it("are asked by the system whether anybody is still there", async () => {
    await using listener = await open({});
    const response = await fetch(listener.url);
    await response.text();
    const socket = dial(listener);
    await once(socket, "connect");
    while ((await systemTimer(listener.port)) !== 2) await pause(20);
    socket.destroy();
  });
});

const openssl = requireTool("openssl");

describe.skipIf(openssl === undefined)("a listener with TLS", () => {
  let tls: LoopbackCertificate;
  beforeAll(() => {
    tls = new LoopbackCertificate(openssl as string);
  });
  afterAll(() => tls?.[Symbol.dispose]());

  async function dialTls({ port }: Listener): Promise<TLSSocket> {
    const socket = connectTls({ host: "127.0.0.1", port, ca: tls.ca, ALPNProtocols: ["http/1.1"] });
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "secureConnect");
    return socket;
  }

  it.each(["", "GET / HT"])(
    "closes a socket whose request does not come after the handshake: %j",
    async (beginning) => {
      await using listener = await open({ tls, headTimeoutMs: 200 });
      const socket = await dialTls(listener);
      socket.write(beginning);
      await within(once(socket, "close"), () => "the socket to be closed");
    },
  );

  it("closes an HTTP/2 session without a request, however lively it is", async () => {
    await using listener = await open({ tls, headTimeoutMs: 200 });
    const session = connectHttp2(listener.url, { ca: tls.ca });
    session.on("error", () => {});
    const pings = setInterval(() => session.ping(() => {}), 20);
    await within(once(session, "close"), () => "the session to be closed");
    clearInterval(pings);
  });

  it("leaves a session alone as long as it has a request, and closes it some time after the last", async () => {
    const answers: (() => void)[] = [];
    const onRequest: ListenerOptions["onRequest"] = (_, response) => {
      answers.push(() => response.end("served"));
    };
    await using listener = await open({ tls, headTimeoutMs: 100, sessionIdleMs: 100, onRequest });
    const session = connectHttp2(listener.url, { ca: tls.ca });
    session.on("error", () => {});
    const request = session.request({ ":path": "/" });
    request.resume();
    await pause(400);
    expect(session.closed).toBe(false);
    expect(answers).toHaveLength(1);
    const ended = once(request, "end");
    answers[0]?.();
    await within(ended, () => "the answer");
    await within(once(session, "close"), () => "the session to be closed");
  });

  it("leaves alone whoever waits for an answer, and a WebSocket", async () => {
    const { promise: upgraded, resolve } = Promise.withResolvers<void>();
    await using listener = await open({
      tls,
      headTimeoutMs: 100,
      onUpgrade: (_, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        resolve();
      },
      onRequest: (_, response) => void setTimeout(() => response.end("served"), 400),
    });
    const socket = await dialTls(listener);
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await upgraded;
    const answer = Promise.withResolvers<number | undefined>();
    get(listener.url, { ca: tls.ca, agent: false }, (response) => {
      response.resume();
      answer.resolve(response.statusCode);
    }).on("error", answer.reject);
    expect(await within(answer.promise, () => "the answer")).toBe(200);
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });
});
