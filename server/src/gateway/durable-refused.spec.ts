import {
  DeliveryClass,
  ErrorCode,
  HistoryDirection,
  type Message,
  type Subscribed,
  type SubscriptionResult,
} from "@fanfare/proto/v1";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import { MemoryCursorStore } from "../log/memory/memory-cursor-store.ts";
import { MemoryMessageLog } from "../log/memory/memory-message-log.ts";
import type { MessageLog } from "../log/message-log.ts";
import { randomTag, systemRandom } from "../random.ts";
import { expectResult, type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const group = "durable:log";
const channel = { kind: { case: "group" as const, value: group } };
const features = ["resume", "durable", "history", "report"];
const head = { case: "head" as const, value: true };

/** A log in memory of which a test decides what happens before each call. */
class TroubledLog {
  before: (call: keyof MessageLog) => void | Promise<void> = () => {};
  readonly log: MessageLog;

  constructor() {
    const memory = new MemoryMessageLog({ clock: systemClock, randomTag: () => randomTag(systemRandom) });
    this.log = new Proxy<MessageLog>(memory, {
      get: (target, name: keyof MessageLog) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return async (...args: unknown[]) => {
          await this.before(name);
          return await (member as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }

  /** Every look at the log is refused. */
  fail(): void {
    this.before = (call) => {
      if (call !== "append") throw new FanfareError(ErrorCode.UNAVAILABLE, "the log is out of reach");
    };
  }
}

describe("a durable channel whose log is in trouble", () => {
  let troubled: TroubledLog;
  let server: TestServer;

  beforeEach(async () => {
    troubled = new TroubledLog();
    server = await startTestServer({
      stores: { messageLog: troubled.log, cursorStore: new MemoryCursorStore(systemClock) },
    });
  });
  afterEach(() => server?.[Symbol.asyncDispose]());

  const join = (player: string, hello: object = {}) => server.join(player, { hello: { features, ...hello } });
  const reached = async (publisher: TestClient, text: string) =>
    (await publisher.publish(group, text, { wantReport: true })).report?.reached;

  it("goes on as it was for a subscriber whose next subscribe is refused (FF-FR-011)", async () => {
    const [subscriber, publisher] = [await join("ann"), await join("bob")];
    await subscriber.subscribe(group);
    expect(await reached(publisher, "1")).toBe(1);
    troubled.fail();
    const refused = await subscriber.request({ case: "subscribe", value: { channel, start: head } });
    expect(refused).toMatchObject({ case: "error", value: { code: ErrorCode.UNAVAILABLE } });
    troubled.before = () => {};
    await publisher.publish(group, "2");
    await subscriber.received(2);
    while ((await reached(publisher, "3")) !== 1);
    expect(subscriber.kinds).not.toContain("subscription");
    const texts = (await subscriber.received(3)).map(({ payload }) => payload?.data.value);
    expect(texts.slice(0, 3)).toEqual(["1", "2", "3"]);
  });

  it("stays open to whoever came back, when an older subscribe of the session is refused late", async () => {
    const late = Promise.withResolvers<void>();
    let isFirst = true;
    troubled.before = () => {
      if (!isFirst) return;
      isFirst = false;
      return late.promise;
    };
    const first = await join("ann");
    const { sessionId = "", resumeSecret = "" } = first.welcome ?? {};
    first.send({ id: 77, kind: { case: "subscribe", value: { channel, start: head } } });
    await until(() => !isFirst, "the log is asked");
    first.cut();
    const resume = { sessionId, secret: resumeSecret };
    const second = await join("ann", { attempt: 2, resume, subscriptions: [{ channel, start: head }] });
    late.reject(new FanfareError(ErrorCode.UNAVAILABLE, "no answer in time"));
    const publisher = await join("bob");
    while ((await reached(publisher, "x")) !== 1);
    expect(second.kinds).not.toContain("subscription");
  });

  /** What a list says of the group. */
  const listed = (list: readonly SubscriptionResult[]) => list.filter((one) => one.channel?.kind.value === group);
  const openedWord = (client: TestClient) => client.frame("subscription", ({ event }) => event.case === "opened");

  it("is refused in its place to a member who resumes, not listed again, and opened where it was asked for (FF-HS-015)", async () => {
    await server.control().joinGroup({ playerId: "ann", group });
    const [first, publisher] = [await join("ann"), await join("bob")];
    await publisher.publish(group, "1");
    const [{ log }] = (await first.received(1)) as [Message];
    const { sessionId = "", resumeSecret = "" } = first.welcome ?? {};
    first.cut();
    await publisher.publish(group, "2");
    const [begun] = listed(first.welcome?.subscriptions ?? []);
    const epoch = (begun?.result.value as Subscribed | undefined)?.position?.epoch ?? 0n;
    const after = { epoch, offset: log?.offset ?? 0n, tag: log?.tag ?? 0 };
    troubled.fail();
    const subscriptions = [{ channel, start: { case: "after" as const, value: after } }];
    const second = await join("ann", { attempt: 2, resume: { sessionId, secret: resumeSecret }, subscriptions });
    expect(listed(second.welcome?.subscriptions ?? [])).toMatchObject([
      { result: { case: "error", value: { code: ErrorCode.UNAVAILABLE } } },
    ]);
    await publisher.publish(group, "3");
    troubled.before = () => {};
    const { event } = await openedWord(second);
    expect(event.value).toMatchObject({ deliveryClass: DeliveryClass.DURABLE, position: after, recovered: true });
    expect((await second.received(2)).map(({ payload }) => payload?.data.value)).toEqual(["2", "3"]);
    expect(second.kinds.filter((kind) => kind === "subscription")).toHaveLength(2); // `opened`, `caught_up`
  });

  it("goes on after its position for a member who asks again before the server can open it", async () => {
    await server.control().joinGroup({ playerId: "ann", group });
    const publisher = await join("bob");
    await publisher.publish(group, "1");
    troubled.fail();
    const rewind = { case: "rewind" as const, value: 1 };
    const member = await join("ann", { subscriptions: [{ channel, start: rewind }] });
    expect(listed(member.welcome?.subscriptions ?? [])).toMatchObject([{ result: { case: "error" } }]);
    const refused = await member.request({ case: "subscribe", value: { channel, start: rewind } });
    expect(refused).toMatchObject({ case: "error", value: { code: ErrorCode.UNAVAILABLE } });
    troubled.before = () => {};
    const subscribed = await member.request({ case: "subscribe", value: { channel, start: rewind } });
    expect(subscribed).toMatchObject({ case: "subscribed", value: { deliveryClass: DeliveryClass.DURABLE } });
    await publisher.publish(group, "2");
    expect((await member.received(2)).map(({ payload }) => payload?.data.value)).toEqual(["1", "2"]);
    await new Promise((resolve) => setTimeout(resolve, 1_200)); // past the time at which the server would have tried
    expect(member.kinds).not.toContain("opened");
    expect(await reached(publisher, "3")).toBe(1);
  });

  it("is not listed to a member who does not name it, and opened when its log can be read", async () => {
    await server.control().joinGroup({ playerId: "ann", group });
    troubled.fail();
    const member = await join("ann");
    expect(listed(member.welcome?.subscriptions ?? [])).toEqual([]);
    troubled.before = () => {};
    const { event } = await openedWord(member);
    expect(event.value).toMatchObject({ deliveryClass: DeliveryClass.DURABLE, byServer: true });
    const publisher = await join("bob");
    await publisher.publish(group, "1");
    expect(await member.received(1)).toHaveLength(1);
  });

  it("is opened at the head to a member who asked for more than the namespace lets read again (FF-DU-014)", async () => {
    await server.control().joinGroup({ playerId: "ann", group });
    const rewind = { case: "rewind" as const, value: 10_000 };
    const member = await join("ann", { subscriptions: [{ channel, start: rewind }] });
    expect(listed(member.welcome?.subscriptions ?? [])).toMatchObject([
      { result: { case: "error", value: { code: ErrorCode.INVALID_ARGUMENT } } },
    ]);
    const { event } = await openedWord(member);
    expect(event.value).toMatchObject({ deliveryClass: DeliveryClass.DURABLE, byServer: true });
  });

  it("fills a page of history from where the log begins, also if that has just moved on (FF-HI-003, FF-HI-004)", async () => {
    const [reader, publisher] = [await join("ann"), await join("bob")];
    for (let i = 1; i <= 100; i++) await publisher.publish(group, `${i}`);
    // The log is full: each message that is stored between the two looks takes the oldest with it.
    const pageWhile = async (query: object, meanwhile: () => Promise<unknown>) => {
      troubled.before = async (call) => {
        if (call !== "read") return;
        troubled.before = () => {};
        await meanwhile();
      };
      return expectResult(await reader.request({ case: "history", value: { channel, ...query } }), "historyPage");
    };
    const storeOneMore = () => publisher.publish(group, "one more");
    const forward = await pageWhile({ direction: HistoryDirection.FORWARD, limit: 20 }, storeOneMore);
    expect(forward.messages.map(({ log }) => log?.offset)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i + 2)));
    expect(forward.next?.offset).toBe(21n);

    const all = await pageWhile({ limit: 1000 }, storeOneMore);
    expect([all.messages.at(-1)?.log?.offset, all.tail?.offset, all.next]).toEqual([3n, 2n, undefined]);

    const anew = await pageWhile({ limit: 1000 }, async () => {
      await server.control().clearChannel({ channel });
      await storeOneMore();
    });
    expect(anew.messages.map(({ log }) => log?.offset)).toEqual([1n]);
    expect(anew.tail).toMatchObject({ epoch: anew.head?.epoch, offset: 0n });
  });
});
