import { create } from "@bufbuild/protobuf";
import { ChannelSchema, GapReason, HistoryDirection, Outcome, type Position, SkipReason } from "@fanfare/proto/v1";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { textOf } from "../testing/test-client.ts";
import { ControlFixture, refusalNames } from "./testing/control-fixture.ts";

const channel = create(ChannelSchema, { kind: { case: "group", value: "log:main" } });
const live = create(ChannelSchema, { kind: { case: "group", value: "chat:main" } });

describe("the logs of durable channels", () => {
  let fixture: ControlFixture;

  beforeEach(async () => {
    fixture = await ControlFixture.start();
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  const publish = async (value: string, idempotencyKey = "") => {
    const publication = { channels: [channel], payload: { data: { case: "text" as const, value } }, idempotencyKey };
    const [result] = (await fixture.client().publish({ publications: [publication] })).results;
    return result!.results[0]!;
  };

  const stored = async (value: string): Promise<Position> => (await publish(value)).position!;

  it("store what a backend publishes, once for each idempotency key, and answer the position", async () => {
    const first = await publish("1", "order-7");
    expect(first).toMatchObject({ outcome: Outcome.STORED, repeated: false, position: { offset: 1n } });
    expect(await publish("1", "order-7")).toMatchObject({ repeated: true, position: first.position });
    expect(await publish("2")).toMatchObject({ position: { offset: 2n } });
  });

  it("are read page by page, whatever players may read", async () => {
    for (const value of ["1", "2", "3"]) await stored(value);
    const forward = { channel, direction: HistoryDirection.FORWARD, limit: 2 };
    const { page: first } = await fixture.client().getHistory({ query: forward });
    expect(first?.messages.map(textOf)).toEqual(["1", "2"]);
    const { page: second } = await fixture.client().getHistory({ query: { ...forward, from: first?.next } });
    expect(second?.messages.map(textOf)).toEqual(["3"]);
    expect(second?.next).toBeUndefined();
  });

  it("leave a skip where a message was deleted", async () => {
    await stored("1");
    const second = await stored("2");
    await stored("3");
    const ann = await fixture.player("ann", { features: ["durable"] });
    expect(await fixture.client().deleteMessage({ channel, position: second })).toMatchObject({});
    const { page } = await fixture.client().getHistory({ query: { channel } });
    expect(page?.messages.map(textOf)).toEqual(["3", "1"]);
    const after = { case: "after" as const, value: { epoch: second.epoch, offset: 0n, tag: 0 } };
    await ann.subscribe("log:main", { start: after });
    expect(await ann.frame("skip")).toMatchObject({ fromOffset: 2n, toOffset: 2n, reason: SkipReason.DELETED });
    expect((await ann.received(2)).map(textOf)).toEqual(["1", "3"]);
  });

  it("begin a new epoch when they are cleared, and subscribers are told a gap (FF-DU-026)", async () => {
    const ann = await fixture.player("ann", { features: ["durable"] });
    await ann.subscribe("log:main");
    const before = await stored("1");
    const { head } = await fixture.client().clearChannel({ channel });
    expect(head?.epoch).toBeGreaterThan(before.epoch);
    const { event } = await ann.frame("subscription");
    const gap = { reason: GapReason.EPOCH, from: { offset: 1n }, to: { epoch: head?.epoch, offset: 0n } };
    expect(event).toMatchObject({ case: "gap", value: gap });
    expect(await stored("2")).toMatchObject({ epoch: head?.epoch, offset: 1n });
    expect((await ann.received(2)).map(textOf)).toEqual(["1", "2"]);
  });

  it("refuse positions that are not theirs, and channels that keep nothing", async () => {
    const position = await stored("1");
    const client = fixture.client();
    const forked = { ...position, tag: position.tag === 1 ? 2 : 1 };
    expect(await refusalNames(client.deleteMessage({ channel, position: forked }))).toBe(
      "OutOfRange POSITION_INVALID position",
    );
    expect(await refusalNames(client.clearChannel({ channel: live }))).toBe("FailedPrecondition FAILED_PRECONDITION");
    expect(await refusalNames(client.getHistory({ query: { channel: live } }))).toBe(
      "FailedPrecondition FAILED_PRECONDITION",
    );
  });
});
