import { create } from "@bufbuild/protobuf";
import { type Publication, PublicationSchema } from "@fanfare/proto/control/v1";
import { type Channel, DeliveryClass, ErrorCode, Outcome, type PublishResult } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { Counters } from "../observe/counters.ts";
import { Producer } from "../router/producer.ts";
import type { RouteResult } from "../router/router.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";
import { newPublishRepeats, Publisher } from "./publisher.ts";
import { group, player } from "./testing/control-fixture.ts";

const caller = { appId: "game", keyId: "k", scopes: new Set<number>() };
const delivered = { outcome: Outcome.DELIVERED, report: {} } as RouteResult;
const failed: RouteResult = { outcome: Outcome.FAILED, code: ErrorCode.UNAVAILABLE, message: "too much waits" };
const unknown: RouteResult = { outcome: Outcome.UNKNOWN, code: ErrorCode.DEADLINE_EXCEEDED, message: "not in time" };

/** A publisher over a router whose fan-outs a test ends. */
function publisher() {
  const state = {
    nowMs: 0,
    deferred: [] as (() => void)[],
    underWay: [] as ((result: RouteResult) => void)[],
    sent: 0,
  };
  const counters = new Counters();
  const clock = {
    nowMs: () => 0,
    monotonicMs: () => state.nowMs,
    defer: (go: () => void) => void state.deferred.push(go),
  };
  const node = { clock, counters, producer: new Producer(7n) } as unknown as ControlNode;
  const app = {
    hub: {
      namespaces: {
        policyFor: ({ kind }: Channel) => ({
          maxPayloadBytes: 100,
          deliveryClass: kind.value === "log:a" ? DeliveryClass.DURABLE : DeliveryClass.LIVE,
        }),
      },
    },
    router: {
      publish: (_message: unknown, _excluded: unknown, done: (result: RouteResult) => void) => {
        state.sent++;
        state.underWay.push(done);
      },
    },
  } as unknown as ControlApp;
  const publish = (publications: Publication[], signal = new AbortController().signal): Promise<PublishResult[][]> =>
    new Publisher(node, newPublishRepeats(node.clock)).publish(app, caller, publications, signal);
  return { state, counters, publish, app, node };
}

const publication = (channels: number, idempotencyKey = ""): Publication =>
  create(PublicationSchema, { channels: Array.from({ length: channels }, (_, i) => player(`p${i}`)), idempotencyKey });

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("Publisher", () => {
  it("waits for fan-outs that are under way, and answers in order", async () => {
    const { state, counters, publish } = publisher();
    const call = publish([publication(2)]);
    state.underWay[1]?.(failed);
    state.underWay[0]?.(delivered);
    const [results] = await call;
    expect(results?.map(({ outcome }) => outcome)).toEqual([Outcome.DELIVERED, Outcome.FAILED]);
    expect(results?.[1]?.error?.code).toBe(ErrorCode.UNAVAILABLE);
    expect(counters.publishesByOutcome[Outcome.FAILED]).toBe(1);
    expect(counters.messagesInLive).toBe(2);
  });

  it("keeps at most a thousand messages of a call under way", async () => {
    const { state, publish } = publisher();
    const call = publish([publication(1500)]);
    await settled();
    expect(state.sent).toBe(1000);
    while (state.underWay.length > 0) {
      for (const done of state.underWay.splice(0)) done(delivered);
      await settled();
    }
    expect((await call)[0]).toHaveLength(1500);
  });

  it("gives way every 5 ms, and stops when the caller has gone", async () => {
    const { state, publish } = publisher();
    const abort = new AbortController();
    const call = publish([publication(500)], abort.signal);
    expect(state.sent).toBe(500);
    for (const done of state.underWay) done(delivered);
    await call;

    state.nowMs = 0;
    const slow = publisher();
    Object.defineProperty(slow.state, "nowMs", { get: () => slow.state.sent });
    const cut = slow.publish([publication(500)], abort.signal);
    expect(slow.state.sent).toBe(64);
    slow.state.deferred.shift()?.();
    await settled();
    expect(slow.state.sent).toBe(128);
    abort.abort(new Error("gone"));
    slow.state.deferred.shift()?.();
    await expect(cut).rejects.toThrow("gone");
    expect(slow.state.sent).toBe(128);
  });

  it("answers a repeat with what becomes of the first, also while it is under way", async () => {
    const { state, publish, app, node } = publisher();
    const one = new Publisher(node, newPublishRepeats(node.clock));
    const signal = new AbortController().signal;
    const first = one.publish(app, caller, [publication(1, "key")], signal);
    const repeat = one.publish(app, caller, [publication(1, "key")], signal);
    expect(state.sent).toBe(1);
    state.underWay[0]?.(delivered);
    expect((await first)[0]?.[0]?.repeated).toBe(false);
    expect((await repeat)[0]?.[0]).toMatchObject({ outcome: Outcome.DELIVERED, repeated: true });
    void publish;
  });

  it.each([
    ["was refused", group("live:a"), failed],
    ["left unknown whether it is stored", group("log:a"), unknown],
  ])("sends again under the key of a publish that %s", async (_, channel, outcome) => {
    const { state, again } = await publishedTwice(channel, outcome);
    expect(state.sent).toBe(2);
    state.underWay[1]?.(delivered);
    expect((await again)[0]?.[0]?.repeated).toBe(false);
  });

  it("does not send again under the key of a live publish of which it is unknown who has it: it would come twice to some", async () => {
    const { state, again } = await publishedTwice(group("live:a"), unknown);
    expect(state.sent).toBe(1);
    expect((await again)[0]?.[0]).toMatchObject({ outcome: Outcome.UNKNOWN, repeated: true });
  });
});

/** A publish that came to this, and its repeat under the same key, when the node has come back to its cluster as another incarnation. */
async function publishedTwice(channel: ReturnType<typeof group>, outcome: RouteResult) {
  const { state, app, node } = publisher();
  const repeats = newPublishRepeats(node.clock);
  const publish = () => {
    const publications = [create(PublicationSchema, { channels: [channel], idempotencyKey: "key" })];
    return new Publisher(node, repeats).publish(app, caller, publications, new AbortController().signal);
  };
  const first = publish();
  state.underWay[0]?.(outcome);
  await first;
  return { state, again: publish() };
}
