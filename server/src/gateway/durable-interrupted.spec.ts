import { Outcome } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { systemClock } from "../clock.ts";
import type { DurableStores } from "../log/durable-stores.ts";
import { MemoryCursorStore } from "../log/memory/memory-cursor-store.ts";
import { MemoryMessageLog } from "../log/memory/memory-message-log.ts";
import type { AppendRequest, AppendResult, MessageLog } from "../log/message-log.ts";
import { expectResult, type TestClient, textOf } from "../testing/test-client.ts";
import { startTestServer, tokenFor } from "../testing/test-server.ts";
import { openValkeyStores } from "../testing/valkey-log.ts";
import { startStandalone, type ValkeyServers } from "../testing/valkey-processes.ts";

const group = "durable:log";
const features = ["resume", "durable"];

/** Where a publisher's connection breaks. */
const points = [
  "before append",
  "after append",
  "after routing, before the reply",
  "when the reply is on its way",
] as const;
type Point = (typeof points)[number];

/** Passes everything on, and lets a test in before and after each append. */
class WatchedLog {
  before: () => void = () => {};
  after: () => void = () => {};
  readonly #log: MessageLog;

  constructor(log: MessageLog) {
    this.#log = log;
  }

  /** The log as it is, but for `append`. */
  get log(): MessageLog {
    return new Proxy(this.#log, {
      get: (log, name: keyof MessageLog) => {
        if (name === "append") return (request: AppendRequest) => this.#append(request);
        const value = log[name];
        return typeof value === "function" ? value.bind(log) : value;
      },
    });
  }

  async #append(request: AppendRequest): Promise<AppendResult> {
    this.before();
    const result = await this.#log.append(request);
    this.after();
    return result;
  }
}

describe.each([
  { name: "in memory", inValkey: false },
  { name: "in Valkey", inValkey: true },
])("a durable publish $name that is interrupted", ({ inValkey }) => {
  const isSkipped = inValkey && requireTool("valkey-server") === undefined;
  let servers: ValkeyServers | undefined;
  beforeAll(async () => {
    if (inValkey && !isSkipped) servers = await startStandalone(1);
  }, 60_000);
  afterAll(async () => await servers?.[Symbol.asyncDispose]());

  async function openStores(): Promise<DurableStores & AsyncDisposable> {
    if (servers !== undefined) return await openValkeyStores(servers);
    const messageLog = new MemoryMessageLog({ clock: systemClock });
    const cursorStore = new MemoryCursorStore(systemClock);
    return { messageLog, cursorStore, [Symbol.asyncDispose]: () => messageLog[Symbol.asyncDispose]() };
  }

  it.skipIf(isSkipped).each(points)("%s is stored once and delivered once after its repeat", async (point) => {
    await using stores = await openStores();
    const watched = new WatchedLog(stores.messageLog);
    await using fixture = await startTestServer({ stores: { ...stores, messageLog: watched.log } });
    const reader = await fixture.join("reader", { hello: { features } });
    await reader.subscribe(group);
    const first = await fixture.dial();
    const welcome = await first.hello({ token: tokenFor("publisher"), features });
    expect((await first.publish(group, "before")).outcome).toBe(Outcome.STORED);

    await interrupt(point, watched, first, reader);

    const resume = { sessionId: welcome.sessionId, secret: welcome.resumeSecret };
    const second = await fixture.dial();
    expect(await second.hello({ token: tokenFor("publisher"), features, attempt: 2, resume })).toMatchObject({
      resumed: true,
    });
    const again = await repeatUntilKnown(second, first.publishOf(group, "interrupted", { seq: 2n }));
    expect(again).toMatchObject({ outcome: Outcome.STORED, repeated: true, position: { offset: 2n } });
    expect(await publishOf(second, second.publishOf(group, "after", { seq: 3n }))).toMatchObject({
      position: { offset: 3n },
    });
    expect((await reader.received(3)).map(textOf)).toEqual(["before", "interrupted", "after"]);
    await reader.settle();
    expect(reader.messages).toHaveLength(3);
  });

  /** Publishes under seq 2 and breaks the publisher's connection at the point. */
  async function interrupt(
    point: Point,
    watched: WatchedLog,
    publisher: TestClient,
    reader: TestClient,
  ): Promise<void> {
    const stored = Promise.withResolvers<void>();
    watched.before = () => point === "before append" && publisher.cut();
    watched.after = () => {
      if (point === "after append") publisher.cut();
      stored.resolve();
    };
    if (point === "when the reply is on its way") publisher.pause();
    publisher.send({ id: 77, kind: { case: "publish", value: publisher.publishOf(group, "interrupted") } });
    await stored.promise;
    if (point === "after routing, before the reply") queueMicrotask(() => publisher.cut());
    await reader.received(2);
    publisher.cut();
    watched.before = watched.after = () => {};
  }
});

type PublishInit = ReturnType<TestClient["publishOf"]>;

async function publishOf(client: TestClient, value: PublishInit) {
  return expectResult(await client.request({ case: "publish", value }), "publishResult");
}

/** A repeat that comes while the first is under way may be answered before the log is asked. */
async function repeatUntilKnown(client: TestClient, value: PublishInit) {
  let result = await publishOf(client, value);
  while (result.outcome === Outcome.UNKNOWN) result = await publishOf(client, value);
  return result;
}
