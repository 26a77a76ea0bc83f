import type { Channel } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../server/src/testing/test-server.ts";
import { startStandalone, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { requireTool } from "./require-tool.ts";

const clusterKey = "signs the resume secrets of nodes that race";
const limits = { publishesPerSecond: 1_000_000, publishBurst: 1_000_000, framesPerSecond: 1_000_000 };
const races = 10_000;
const durableRaces = 2_500;
const lanes = 25;

describe.skipIf(requireTool("valkey-server") === undefined)("joins and publishers on other nodes", () => {
  let valkey: ValkeyServers;
  let one: TestServer;
  let two: TestServer;

  beforeAll(async () => {
    valkey = await startStandalone();
    one = await startTestServer({ valkey, clusterKey, limits, nodeId: "one" });
    two = await startTestServer({ valkey, clusterKey, limits, nodeId: "two" });
  }, 60_000);
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
    await valkey?.[Symbol.asyncDispose]();
  });

  it(`bring a message that was published after the subscription was opened, in ${races} races`, async () => {
    let received = 0;
    const race = async (lane: number): Promise<void> => {
      const subscriber = await (lane % 2 === 0 ? one : two).join(`s${lane}`);
      const publisher = await (lane % 2 === 0 ? two : one).join(`p${lane}`);
      for (let i = 0; i < races / lanes; i++) {
        const group = `race-${lane}-${i}`;
        await subscriber.subscribe(group);
        const [result] = await Promise.all([
          publisher.publish(group, group, { wantReport: i % 2 === 0 }),
          subscriber.frame("message", ({ payload }) => payload?.data.value === group),
        ]);
        if (result.error !== undefined) throw new Error(result.error.message);
        received++;
        if (i % 100 > 0) await subscriber.request({ case: "unsubscribe", value: channelOf(group) });
        subscriber.forgetFrames();
        publisher.forgetFrames();
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, lane) => race(lane)));
    expect(received).toBe(races);
  }, 180_000);

  it(`leave nothing out of what a durable channel stores behind their start, in ${durableRaces} races`, async () => {
    const race = async (lane: number): Promise<number> => {
      const subscriber = await (lane % 2 === 0 ? one : two).join(`ds${lane}`, durable);
      const publisher = await (lane % 2 === 0 ? two : one).join(`dp${lane}`);
      let missed = 0;
      for (let i = 0; i < durableRaces / lanes; i++) {
        const group = `durable:race-${lane}-${i}`;
        await publisher.publish(group, "before");
        // Some are stored before the subscriber's route stands, some while it does, some after its start was read.
        const publishing = Array.from({ length: 3 }, (_, n) => publisher.publish(group, `${group} ${n}`));
        const { position } = await subscriber.subscribe(group);
        publishing.push(...Array.from({ length: 2 }, (_, n) => publisher.publish(group, `${group} ${n + 3}`)));
        const results = await Promise.all(publishing);
        const behind = results.filter((result) => Number(result.position?.offset) > Number(position?.offset));
        missed += results.length - behind.length;
        const wanted = Math.max(...behind.map((result) => Number(result.position?.offset)));
        await subscriber.frame("message", (message) => Number(message.log?.offset) === wanted && isIn(message, group));
        const got = subscriber.messages.filter((message) => isIn(message, group));
        expect(got.map(({ log }) => Number(log?.offset))).toEqual(
          behind.map((result) => Number(result.position?.offset)).toSorted((a, b) => a - b),
        );
        await subscriber.request({ case: "unsubscribe", value: channelOf(group) });
        subscriber.forgetFrames();
        publisher.forgetFrames();
      }
      return missed;
    };
    const missed = await Promise.all(Array.from({ length: lanes }, (_, lane) => race(lane)));
    // The race was one: some were stored before the start.
    expect(Math.max(...missed)).toBeGreaterThan(0);
  }, 180_000);
});

const durable = { hello: { features: ["durable"] } };

function isIn({ channel }: { readonly channel?: Channel | undefined }, group: string): boolean {
  return channel?.kind.value === group;
}

function channelOf(group: string) {
  return { channel: { kind: { case: "group" as const, value: group } } };
}
