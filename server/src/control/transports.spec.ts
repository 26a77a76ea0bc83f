import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { requireTool } from "../../../test/require-tool.ts";
import { authorize, ControlFixture, masterKey, refusalNames, testConfig } from "./testing/control-fixture.ts";
import { LoopbackCertificate } from "./testing/loopback-certificate.ts";

const openssl = requireTool("openssl");
let tls: LoopbackCertificate;

beforeAll(() => {
  if (openssl !== undefined) tls = new LoopbackCertificate(openssl);
});

afterAll(() => tls?.[Symbol.dispose]());

function options(fixture: ControlFixture, key: string) {
  return { baseUrl: fixture.server.url, nodeOptions: { ca: tls.ca }, interceptors: [authorize(key)] };
}

const transports = {
  "Connect over HTTP/1.1": (fixture: ControlFixture, key: string) =>
    createConnectTransport({ ...options(fixture, key), httpVersion: "1.1" }),
  "Connect over HTTP/2": (fixture: ControlFixture, key: string) =>
    createConnectTransport({ ...options(fixture, key), httpVersion: "2" }),
  "Connect in JSON": (fixture: ControlFixture, key: string) =>
    createConnectTransport({ ...options(fixture, key), httpVersion: "1.1", useBinaryFormat: false }),
  "gRPC-Web": (fixture: ControlFixture, key: string) =>
    createGrpcWebTransport({ ...options(fixture, key), httpVersion: "1.1" }),
  gRPC: (fixture: ControlFixture, key: string) => createGrpcTransport(options(fixture, key)),
};

describe.skipIf(openssl === undefined).each(Object.entries(transports))("behind TLS, by %s", (_, transportOf) => {
  it("calls, errors and streams go through", async () => {
    const config = testConfig({ listen: { port: 0, tls } });
    await using fixture = await ControlFixture.start(config);
    expect(fixture.server.url).toMatch(/^https:/);
    const client = fixture.client("", transportOf(fixture, masterKey("game")));
    const answered: (string | null)[] = [];
    const onHeader = (headers: Headers): void => void answered.push(headers.get("fanfare-incarnation"));
    const { nodes } = await client.listNodes({}, { onHeader });
    expect(nodes[0]?.nodeId).toBe("n1");
    expect(answered).toEqual([String(nodes[0]?.incarnation)]);
    expect(await refusalNames(client.joinGroup({ playerId: "p", group: "nowhere:a" }))).toBe(
      "NotFound UNKNOWN_NAMESPACE channel.group",
    );
    const stranger = fixture.client("", transportOf(fixture, "nobody"));
    expect(await refusalNames(stranger.listNodes({}))).toBe("Unauthenticated UNAUTHENTICATED");
    const abort = new AbortController();
    const events = client.watchEvents({}, { signal: abort.signal })[Symbol.asyncIterator]();
    await events.next();
    await client.joinGroup({ playerId: "p", group: "team:a" });
    const { value } = await events.next();
    expect(value?.event?.event).toMatchObject({ case: "membershipJoined", value: { playerId: "p" } });
    abort.abort();
    await client.drain({});
    await fixture.server.closed;
  });
});

describe.skipIf(openssl === undefined)("behind TLS", () => {
  it("WebSockets and plain pages are served on the same port", async () => {
    const config = testConfig({ listen: { port: 0, tls } });
    await using fixture = await ControlFixture.start(config);
    const url = `${fixture.server.url.replace("https", "wss")}/v1/connect`;
    const socket = new WebSocket(url, "fanfare.v1.proto", { ca: tls.ca });
    await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
    expect(socket.protocol).toBe("fanfare.v1.proto");
    socket.terminate();
  });
});
