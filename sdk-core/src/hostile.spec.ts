import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyPayload, text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { encode, type Init } from "./wire/codec.ts";
import type { ServerFrame } from "./wire/schema.ts";

const channel = fc.constantFrom(
  { group: "a" },
  { group: "b" },
  { player: "alice" },
  { broadcast: true },
  {},
  undefined,
);
const small = fc.nat({ max: 4 });
const origin = fc.bigInt({ min: 0n, max: 3n });
const member = fc.record({ origin, generation: small, playerId: fc.string({ maxLength: 3 }) });
const payload = fc.constantFrom({ type: "", text: "x" }, { type: "t", json: "{" }, { type: "" }, undefined);
const position = fc.constantFrom({ epoch: 1, offset: 1, tag: 1 }, undefined);
const log = fc.option(fc.record({ offset: small, tag: small, previousTag: small }), { nil: undefined });
const subscribed = fc.record({ deliveryClass: small, position, presence: fc.boolean(), byServer: fc.boolean() });
const error = fc.record({ code: fc.nat({ max: 40 }), message: fc.string(), retryAfterMs: small });

/** Frames that decode, in every state and order, sensible or not. */
const frame: fc.Arbitrary<unknown> = fc.oneof(
  fc.record({
    id: small,
    welcome: fc.record({
      sessionId: fc.string(),
      resumed: fc.boolean(),
      features: fc.subarray(["resume", "presence", "hand_over", "durable", "cursor"]),
    }),
  }),
  fc.record({
    id: fc.nat({ max: 10 }),
    reply: fc.oneof(
      fc.record({ error }),
      fc.record({ subscribed }),
      fc.record({ publishResult: fc.record({ outcome: fc.nat({ max: 9 }) }) }),
      fc.record({ presencePage: fc.record({ members: fc.array(member, { maxLength: 2 }) }) }),
      fc.constant({}),
    ),
  }),
  fc.record({ message: fc.record({ channel, origin, seq: small, payload, volatile: fc.boolean(), log }) }),
  fc.record({ skip: fc.record({ channel, fromOffset: small, toOffset: small }) }),
  fc.record({
    subscription: fc.oneof(
      fc.record({ channel, opened: subscribed }),
      fc.record({ channel, closed: fc.record({ reason: fc.nat({ max: 9 }) }) }),
      fc.record({ channel, caughtUp: fc.record({ position }) }),
      fc.record({ channel, gap: fc.record({ reason: fc.nat({ max: 9 }), to: position }) }),
    ),
  }),
  fc.record({
    presenceEvent: fc.oneof(
      fc.record({
        channel,
        snapshot: fc.record({
          section: origin,
          number: small,
          members: fc.array(member),
          first: fc.boolean(),
          last: fc.boolean(),
        }),
      }),
      fc.record({
        channel,
        diff: fc.record({ section: origin, number: small, joined: fc.array(member), left: fc.array(member) }),
      }),
      fc.record({ channel, counts: fc.record({ sessions: small }) }),
    ),
  }),
  fc.record({ id: small, rpc: fc.record({ method: fc.constantFrom("m", "n"), payload, deadlineMs: small }) }),
  fc.record({ id: small, ping: fc.constant({}) }),
  fc.record({ id: small, pong: fc.constant({}) }),
  fc.record({ goaway: fc.record({ reconnectAfterMs: small, url: fc.constantFrom("", "ws://x", "%") }) }),
  fc.record({ handedOver: fc.constant({}) }),
  fc.record({ dropped: fc.record({ count: small }) }),
  fc.record({ error }),
  fc.constant({}),
);

/** A client that has every kind of thing under way. */
async function busy() {
  const t = await Scripted.connected();
  const group = await t.join("a", { presence: {} });
  group.on(text(), () => {
    throw new Error("bug of the program");
  });
  group.messages(anyPayload, { maxQueued: 2 });
  t.client.handle("m", { request: text(), response: text() }, (value) => value);
  const ignore = () => {};
  t.client.join("b").catch(ignore);
  group.publish(text(), "x").catch(ignore);
  t.client.presence("broadcast").catch(ignore);
  await settled();
  return t;
}

describe("a hostile server", () => {
  it("never makes the client throw, whatever frames it sends in whatever order, and the client goes on", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(frame, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        async (messages) => {
          const t = await busy();
          for (const frames of messages) {
            t.socket.deliver(encode("ServerFrames", { frames: frames as Init<ServerFrame>[] }));
            await t.clock.advance(3);
          }
          expect(["open", "moving", "connecting", "waiting"]).toContain(t.client.status);
          t.client.close().catch(() => {});
          await t.clock.advance(60_000);
          expect(t.clock.timers).toBe(0);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it("gets the connection closed with 4001 for bytes that are no frame, and never an exception", async () => {
    const good = encode("ServerFrames", {
      frames: [{ id: 1, message: { channel: { group: "a" }, origin: 3n, seq: 1, from: "é" } }],
    });
    const mutated = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), fc.nat({ max: good.length }));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          mutated.map(([at, byte, length]) => {
            const bytes = good.slice(0, length);
            if (at < length) bytes[at] = byte;
            return bytes;
          }),
        ),
        async (bytes) => {
          const t = await busy();
          t.socket.deliver(bytes);
          await settled();
          if (t.socket.closedBy !== undefined) expect(t.socket.closedBy.code).toBe(4001);
          else expect(t.client.status).toBe("open");
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });
});
