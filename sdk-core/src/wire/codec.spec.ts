import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ClientFramesSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { decode, decodeServerFrames, encode } from "./codec.ts";
import { CloseCode, ErrorCode, type ServerFrame } from "./schema.ts";

const position = { epoch: 2n ** 53n - 1n, offset: 70n, tag: 0xffffffff };
const payload = { type: "chat.Line", data: { case: "binary", value: new Uint8Array([1, 2, 255]) } } as const;
const group = { kind: { case: "group", value: "chat:lobby" } } as const;

const serverFrames: MessageInitShape<typeof ServerFramesSchema> = {
  frames: [
    {
      id: 1,
      kind: {
        case: "welcome",
        value: {
          sessionId: "s",
          origin: 2n ** 64n - 1n,
          resumeSecret: "x".repeat(300),
          attempt: 300,
          serverTimeUs: 1_763_000_000_000_123n,
          limits: { maxFrameBytes: 4_294_967_295 },
          features: ["resume", "presence"],
          subscriptions: [
            { channel: group, result: { case: "subscribed", value: { deliveryClass: 2, position, byServer: true } } },
            { channel: { kind: { case: "broadcast", value: true } }, result: { case: "error", value: { code: 6 } } },
          ],
          resumed: true,
        },
      },
    },
    {
      kind: {
        case: "message",
        value: {
          channel: group,
          origin: 7n,
          seq: 2n ** 53n - 1n,
          payload,
          from: "Zoë",
          volatile: true,
          log: { offset: 1n },
        },
      },
    },
    { id: 3, kind: { case: "reply", value: { result: { case: "unsubscribed", value: {} } } } },
    { kind: { case: "message", value: { payload: { data: { case: "text", value: "" } } } } },
    { kind: { case: "message", value: { payload: { data: { case: "json", value: "é".repeat(200) } } } } },
    { kind: { case: "handedOver", value: {} } },
  ],
};

describe("the SDK's codec", () => {
  it("reads what the Protobuf runtime writes, defaults and oneofs included", () => {
    const bytes = toBinary(ServerFramesSchema, create(ServerFramesSchema, serverFrames));
    const frames: ServerFrame[] = [];
    decodeServerFrames(bytes, (frame) => frames.push(frame));
    expect(frames[0]?.welcome).toMatchObject({
      origin: 2n ** 64n - 1n,
      attempt: 300,
      serverTimeUs: 1_763_000_000_000_123,
      limits: { maxFrameBytes: 4_294_967_295, maxPayloadBytes: 0 },
      features: ["resume", "presence"],
      subscriptions: [
        {
          channel: { group: "chat:lobby" },
          subscribed: { position: { epoch: 2 ** 53 - 1, offset: 70, tag: 0xffffffff } },
        },
        { channel: { broadcast: true }, error: { code: ErrorCode.PERMISSION_DENIED, message: "" } },
      ],
    });
    expect(frames[1]?.message).toMatchObject({ from: "Zoë", seq: 2 ** 53 - 1, payload: { type: "chat.Line" } });
    expect(frames[1]?.message?.payload?.binary).toEqual(new Uint8Array([1, 2, 255]));
    expect(frames[2]?.reply).toHaveProperty("unsubscribed");
    expect(frames[3]?.message?.payload).toEqual({ type: "", text: "" });
    expect(frames[4]?.message?.payload?.json).toBe("é".repeat(200));
    expect(frames[5]).toHaveProperty("handedOver");
  });

  it("writes what the Protobuf runtime writes, byte for byte", () => {
    const expected = toBinary(ServerFramesSchema, create(ServerFramesSchema, serverFrames));
    expect(encode("ServerFrames", decode("ServerFrames", expected))).toEqual(expected);
  });

  it("writes client frames that the Protobuf runtime reads", () => {
    const bytes = encode("ClientFrames", {
      frames: [
        { id: 1, hello: { token: "t", attempt: 1, subscriptions: [{ channel: { group: "g" }, presence: true }] } },
        { publish: { channel: { player: "p" }, payload: { type: "", text: "" }, seq: 2 ** 40, volatile: true } },
      ],
    });
    const frames = fromBinary(ClientFramesSchema, bytes).frames;
    expect(frames[0]).toMatchObject({ id: 1, kind: { case: "hello", value: { token: "t", attempt: 1 } } });
    expect(frames[1]?.kind.value).toMatchObject({
      seq: 2n ** 40n,
      volatile: true,
      channel: { kind: { case: "player", value: "p" } },
      payload: { data: { case: "text", value: "" } },
    });
    expect(toBinary(ClientFramesSchema, fromBinary(ClientFramesSchema, bytes))).toEqual(bytes);
  });

  it("takes the last member of a oneof and steps over what it does not know", () => {
    const one = encode("ServerFrames", { frames: [{ ping: { sentAtUs: 1 }, error: { code: 1 } }] });
    expect(decode("ServerFrames", one).frames[0]).not.toHaveProperty("ping");
    const unknown = new Uint8Array([10, 6, 8, 5, 250, 7, 1, 0]); // id 5 and an unknown kind 127
    expect(decode("ServerFrames", unknown).frames).toEqual([{ id: 5 }]);
  });

  it("throws on every truncation of a message instead of reading past its end", () => {
    const bytes = encode("ServerFrames", { frames: [{ id: 9, message: { from: "someone", seq: 4, origin: 3n } }] });
    for (let length = 1; length < bytes.length; length++) {
      expect(() => decode("ServerFrames", bytes.slice(0, length)), `${length} bytes`).toThrow(RangeError);
    }
  });

  it("has enums in both directions", () => {
    expect(CloseCode.GOING_AWAY).toBe(4200);
    expect(CloseCode[4300]).toBe("TOKEN_EXPIRED");
    expect(ErrorCode[ErrorCode.EXPIRED]).toBe("EXPIRED");
  });
});
