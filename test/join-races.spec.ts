import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../server/src/testing/test-server.ts";
import { startStandalone, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { requireTool } from "./require-tool.ts";

const clusterKey = "signs the resume secrets of nodes that race";
const limits = { publishesPerSecond: 1_000_000, publishBurst: 1_000_000, framesPerSecond: 1_000_000 };
const races = 10_000;
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
});

function channelOf(group: string) {
  return { channel: { kind: { case: "group" as const, value: group } } };
}
