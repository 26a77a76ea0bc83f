import { describe, expect, it } from "vitest";
import { encodeMessageBody, messageFrameBytes } from "../../../server/src/wire/frame-encoding.ts";
import { scenarios } from "../options.ts";
import { sampleServerFrames, sampleServerFramesBytes } from "./wire-sample.ts";

describe("sampleServerFramesBytes", () => {
  it.each(scenarios)("is byte for byte what the server sends in $name", (scenario) => {
    const { kind } = sampleServerFrames(scenario).frames[0]!;
    if (kind.case !== "message") throw new Error(`a ${kind.case} frame`);
    const { channel, origin, seq, payload, from, sentAtMs, conflationKey } = kind.value;
    const body = encodeMessageBody({
      channel: channel!,
      origin,
      seq: Number(seq),
      payload,
      from,
      sentAtMs: Number(sentAtMs),
      expiresAtMs: 0,
      volatile: false,
      conflationKey,
    });
    expect(Buffer.compare(messageFrameBytes(body), sampleServerFramesBytes(scenario))).toBe(0);
  });
});
