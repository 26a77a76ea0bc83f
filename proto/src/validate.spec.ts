import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ClientFrameSchema, ClientFramesSchema, HelloSchema, PublishSchema } from "./v1.ts";
import { validatorFor } from "./validate.ts";

const publish = validatorFor(PublishSchema);

describe("validatorFor", () => {
  it("accepts what keeps every bound", () => {
    const message = create(PublishSchema, { channel: { kind: { case: "group", value: "chat:lobby" } }, seq: 1n });
    expect(publish(message)).toBeUndefined();
  });

  it("names a missing required message", () => {
    expect(publish(create(PublishSchema, { seq: 1n }))).toEqual({ field: "channel", message: "has to be set" });
  });

  it("names a required oneof that is unset", () => {
    expect(publish(create(PublishSchema, { channel: {}, seq: 1n }))?.field).toBe("channel.kind");
  });

  it("checks a number at its default when it has a least value", () => {
    const message = create(PublishSchema, { channel: { kind: { case: "broadcast", value: true } } });
    expect(publish(message)).toEqual({ field: "seq", message: "is less than 1" });
  });

  it("refuses 2^53", () => {
    const message = create(PublishSchema, { channel: { kind: { case: "broadcast", value: true } }, seq: 2n ** 53n });
    expect(publish(message)?.field).toBe("seq");
  });

  it("refuses characters outside the charset and empty names", () => {
    for (const group of ["", "a b", "a{b}", "ä", "a\n"]) {
      const message = create(PublishSchema, { channel: { kind: { case: "group", value: group } }, seq: 1n });
      expect(publish(message)?.field, JSON.stringify(group)).toBe("channel.group");
    }
  });

  it("counts bytes of UTF-8, not characters", () => {
    const base = { channel: { kind: { case: "broadcast", value: true } }, seq: 1n } as const;
    expect(publish(create(PublishSchema, { ...base, conflationKey: "😀".repeat(16) }))).toBeUndefined();
    expect(publish(create(PublishSchema, { ...base, conflationKey: `${"😀".repeat(16)}a` }))?.field).toBe(
      "conflation_key",
    );
    expect(publish(create(PublishSchema, { ...base, conflationKey: "ä".repeat(33) }))?.field).toBe("conflation_key");
  });

  it("gives the path through lists and oneofs", () => {
    const frames = create(ClientFramesSchema, {
      frames: [
        {},
        { kind: { case: "hello", value: create(HelloSchema, { token: "t", attempt: 1, features: ["a", "ö"] }) } },
      ],
    });
    expect(validatorFor(ClientFramesSchema)(frames)?.field).toBe("frames[1].hello.features[1]");
  });

  it("refuses a broadcast that is false", () => {
    const message = create(PublishSchema, { channel: { kind: { case: "broadcast", value: false } }, seq: 1n });
    expect(publish(message)).toEqual({ field: "channel.broadcast", message: "has to be true" });
  });

  it("bounds the length of lists", () => {
    const frames = create(ClientFramesSchema, {
      frames: Array.from({ length: 1025 }, () => create(ClientFrameSchema)),
    });
    expect(validatorFor(ClientFramesSchema)(frames)?.field).toBe("frames");
  });
});
