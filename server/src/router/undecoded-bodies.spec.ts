import { once } from "node:events";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LiveMessageSchema, StoredMessageSchema } from "@fanfare/proto/cluster/v1alpha";
import { ClientFramesSchema, MessageSchema, ServerFramesSchema, type Subscribed } from "@fanfare/proto/v1";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";
import { messageFrameBytes } from "../wire/frame-encoding.ts";

/** What no decoder of Protobuf takes. */
const body = Buffer.alloc(300, 0xff);

describe("a node that is told of a message by another one", () => {
  let server: TestServer;
  let socket: WebSocket;
  /** WebSocket messages as they came, behind the welcome. */
  let came: Buffer[];

  beforeEach(async () => {
    server = await startTestServer();
  });
  afterEach(async () => {
    socket?.terminate();
    await server[Symbol.asyncDispose]();
  });

  const router = () => server.server.node.apps.get("a")!.router;

  /** Subscribes a group, without a client that would decode what comes. */
  async function subscribe(group: string): Promise<Subscribed> {
    came = [];
    socket = new WebSocket(server.connectUrl(), ["fanfare.v1.proto"]);
    socket.on("message", (data: Buffer) => came.push(data));
    await once(socket, "open");
    const channel = { kind: { case: "group" as const, value: group } };
    const hello = { token: tokenFor("raw"), attempt: 1, features: ["durable"], subscriptions: [{ channel }] };
    const frames = create(ClientFramesSchema, { frames: [{ kind: { case: "hello", value: hello } }] });
    socket.send(toBinary(ClientFramesSchema, frames));
    await until(() => came.length > 0, "the welcome");
    const [frame] = fromBinary(ServerFramesSchema, came.shift()!).frames;
    const welcome = frame?.kind.case === "welcome" ? frame.kind.value : undefined;
    const result = welcome?.subscriptions.find((one) => one.channel?.kind.value === group)?.result;
    if (result?.case !== "subscribed") throw new Error("the group is not subscribed");
    return result.value;
  }

  it("passes the body of a live one on as it is, and never looks into it", async () => {
    expect(() => fromBinary(MessageSchema, body)).toThrow();
    await subscribe("live");
    const message = create(LiveMessageSchema, { appId: "a", channelKey: "g:live", body, origin: 7n, seq: 1n });
    const { promise: report, resolve } = Promise.withResolvers<unknown>();
    expect(router().receiveLive(message, resolve)).toBe(true);
    expect(await report).toMatchObject({ reached: 1 });
    await until(() => came.length > 0, "the message");
    expect(came[0]?.includes(body)).toBe(true);
    expect(came[0]).toEqual(Buffer.from(messageFrameBytes(body)));
  });

  it("passes the body of a stored one on as it is, with its place behind it", async () => {
    const { position } = await subscribe("durable:stored");
    const { epoch = 0n, offset = 0n, tag: previousTag = 0 } = position ?? {};
    const stored = { appId: "a", channelKey: "g:durable:stored", epoch, offset: offset + 1n, tag: 9, previousTag };
    const message = create(StoredMessageSchema, { ...stored, body, origin: 7n });
    const { promise: report, resolve } = Promise.withResolvers<unknown>();
    expect(router().receiveStored(message, resolve)).toBe(true);
    expect(await report).toMatchObject({ reached: 1 });
    await until(() => came.length > 0, "the message");
    const place = { offset: Number(offset) + 1, tag: 9, previousTag };
    expect(came[0]?.includes(body)).toBe(true);
    expect(came[0]).toEqual(Buffer.from(messageFrameBytes(body, place)));
  });
});
