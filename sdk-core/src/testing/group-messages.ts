import type { Payload } from "../payload.ts";
import type { Init } from "../wire/codec.ts";
import type { Message, ServerFrame } from "../wire/schema.ts";
import { Scripted } from "./scripted.ts";

let nextSeq = 1;

/** A message of bob's to the group `a`, with the next seq. */
export function message(payload: Init<Payload>, more: Init<Message> = {}): Init<ServerFrame> {
  return {
    message: {
      channel: { group: "a" },
      origin: 5n,
      seq: nextSeq++,
      from: "bob",
      sentAtMs: 1_700_000_000_000,
      payload,
      ...more,
    },
  };
}

/** A client that has joined the group `a`. */
export async function inGroup(options: Parameters<Scripted["join"]>[1] = {}) {
  const t = await Scripted.connected();
  return { t, group: await t.join("a", options) };
}
