import { GapReason, type Position, type Subscribed, type Welcome } from "@fanfare/proto/v1";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TestClient } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const group = "durable:log";
const channel = { kind: { case: "group" as const, value: group } };
const features = ["resume", "durable", "history", "cursor"];

/** Bugs of resume that others have shipped. */
describe("resuming a session with a durable channel", () => {
  let fixture: TestServer;
  let ann: TestClient;
  let bob: TestClient;
  let position: Position;
  let attempt = 1;

  beforeEach(async () => {
    fixture = await startTestServer({ limits: { publishesPerSecond: 100_000, publishBurst: 100_000 } });
    ann = await fixture.join("ann", { hello: { features } });
    bob = await fixture.join("bob", { hello: { features } });
    position = (await bob.subscribe(group)).position!;
    attempt = 1;
  });

  afterEach(() => fixture[Symbol.asyncDispose]());

  const publishMany = async (from: number, to: number): Promise<void> => {
    for (let i = from; i <= to; i++) await ann.publish(group, `${i}`);
  };

  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

  const positionOf = (client: TestClient): Position => {
    const { log } = client.messages.at(-1)!;
    return { ...position, offset: log!.offset, tag: log!.tag };
  };

  /** Says hello with the session's newest secret. */
  const resume = async (after: Position, { sessionId, resumeSecret: secret } = bob.welcome!) => {
    const client = await fixture.dial();
    const welcome = await client.hello({
      token: tokenFor("bob"),
      features,
      attempt: ++attempt,
      resume: { sessionId, secret },
      subscriptions: [{ channel, start: { case: "after", value: after } }],
    });
    expect(welcome.resumed).toBe(true);
    return { client, subscribed: subscribedOf(welcome) };
  };

  it("works before any message was received: everything that was stored meanwhile comes", async () => {
    bob.cut();
    await publishMany(1, 3);
    const { client, subscribed } = await resume(position);
    expect(subscribed).toMatchObject({ recovered: true, position: { offset: 0n }, head: { offset: 3n } });
    await publishMany(4, 4);
    await client.received(4);
    expect(client.texts).toEqual(numbers(1, 4));
  });

  it("works in an empty log too", async () => {
    bob.cut();
    const { client, subscribed } = await resume(position);
    expect(subscribed).toMatchObject({ recovered: true, position: { offset: 0n }, head: { offset: 0n } });
    await publishMany(1, 1);
    await client.received(1);
    expect(client.texts).toEqual(["1"]);
  });

  it("tells a gap after the log was trimmed, and nothing of it where the trimming ended at the position", async () => {
    await publishMany(1, 20);
    await bob.received(20);
    bob.cut();
    const last = positionOf(bob);
    for (let i = 21; i <= 120; i++) ann.tell(group, `${i}`); // the log keeps 100: the first left is 21
    await ann.settle();
    const whole = await resume(last);
    expect(whole.subscribed).toMatchObject({ recovered: true, position: { offset: 20n } });
    expect(whole.subscribed.gap).toBeUndefined();
    await whole.client.received(100);
    expect(whole.client.texts).toEqual(numbers(21, 120));
    whole.client.cut();
    await publishMany(121, 123);
    const gap = await resume(last, whole.client.welcome!);
    expect(gap.subscribed).toMatchObject({
      recovered: false,
      position: { offset: 23n },
      gap: { reason: GapReason.TRIMMED, from: { offset: 20n }, to: { offset: 23n }, missed: 3n },
    });
    await gap.client.received(100);
    expect(gap.client.texts).toEqual(numbers(24, 123));
  });

  it("replays once, though it is resumed a second time while the first replay runs (FF-DU-023)", async () => {
    bob.cut();
    await publishMany(1, 100);
    const first = await resume(position);
    const second = await resume(position, first.client.welcome!);
    await publishMany(101, 101);
    await second.client.received(101);
    expect(second.client.texts).toEqual(numbers(1, 101));
    // What the first still got was in order, too, and ended with its connection.
    await first.client.ended();
    expect(first.client.texts).toEqual(numbers(1, 100).slice(0, first.client.texts.length));
  });

  it("replays once, though the channel is subscribed again while the replay of the resume runs (FF-DU-023)", async () => {
    bob.cut();
    await publishMany(1, 100);
    const { client } = await resume(position);
    const subscribed = await client.subscribe(group, { start: { case: "after", value: position } });
    expect(subscribed).toMatchObject({ recovered: true });
    await publishMany(101, 101);
    await client.frame("message", (message) => message.log?.offset === 101n);
    const anew = client.frames.findIndex(({ kind }) => kind.case === "reply");
    const texts = client.frames.slice(anew).flatMap(({ kind }) => (kind.case === "message" ? [kind.value] : []));
    expect(texts.map(({ log }) => Number(log?.offset))).toEqual(numbers(1, 101).map(Number));
  });

  it("loses and doubles nothing, though live messages race it all the time (FF-DU-022)", async () => {
    let last = position;
    let client = bob;
    const texts: string[] = [];
    for (let round = 0; round < 15; round++) {
      const publishing = publishMany(round * 20 + 1, round * 20 + 20);
      await client.received(5);
      client.cut();
      texts.push(...client.texts);
      last = positionOf(client);
      ({ client } = await resume(last, client.welcome!));
      await publishing;
    }
    await client.received(300 - texts.length);
    expect([...texts, ...client.texts]).toEqual(numbers(1, 300));
  });
});

function subscribedOf({ subscriptions }: Welcome): Subscribed {
  const found = subscriptions.find(({ channel: of }) => of?.kind.value === group);
  if (found?.result.case !== "subscribed") throw new Error("the group was not subscribed");
  return found.result.value;
}
