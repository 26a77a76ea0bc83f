import { type Channel, Outcome } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../server/src/clock.ts";
import { silentLog } from "../server/src/observe/log.ts";
import { Random } from "../server/src/testing/random.ts";
import { startTestServer, type TestServer } from "../server/src/testing/test-server.ts";
import { startCluster, startStandalone } from "../server/src/testing/valkey-processes.ts";
import { ValkeyBackend } from "../server/src/valkey-backend.ts";
import { BusyPublisher } from "./busy-publisher.ts";
import { connectorWithLateAnswers } from "./late-answers.ts";
import { requireTool } from "./require-tool.ts";
import { testSeed } from "./test-seed.ts";

const clusterKey = "signs the resume secrets of nodes that race";
const limits = { publishesPerSecond: 1_000_000, publishBurst: 1_000_000, framesPerSecond: 1_000_000 };
const lanes = 25;
/**
 * How late an answer of Valkey may be, in milliseconds: so long that a route that was read before a join can still be on its way to the publisher's node when a
 * publish comes there that began after *opened*.
 */
const maxLateMs = 10;

const kinds = [
  { name: "one Valkey", start: () => startStandalone(), races: 8_000, durableRaces: 2_000 },
  { name: "a Valkey cluster, 3 + 3", start: () => startCluster(), races: 2_000, durableRaces: 500 },
];

describe.skipIf(requireTool("valkey-server") === undefined).each(kinds)(
  "joins and publishers on other nodes, over $name",
  (kind) => {
    const { start, races, durableRaces } = kind;
    const opened = new AsyncDisposableStack();
    let one: TestServer;
    let two: TestServer;

    beforeAll(async () => {
      const { addresses, isCluster: cluster } = opened.use(await start());
      const connector = connectorWithLateAnswers(Random.named(testSeed, "late answers"), maxLateMs);
      const valkey = { addresses, cluster, keyPrefix: "fanfare" };
      const open = async (nodeId: string): Promise<TestServer> => {
        const backend = await ValkeyBackend.open({ valkey, clock: systemClock, log: silentLog, connector });
        const { broker, stores } = opened.use(backend);
        return opened.use(await startTestServer({ stores, cluster: { broker }, clusterKey, limits, nodeId }));
      };
      one = await open("one");
      two = await open("two");
    }, 60_000);
    afterAll(() => opened.disposeAsync());

    it(`bring every message whose publish began after the subscription was opened, in ${races} races`, async () => {
      const lost: string[] = [];
      let told = 0;
      const race = async (lane: number): Promise<void> => {
        const subscriber = await (lane % 2 === 0 ? one : two).join(`s${lane}`);
        const publisher = await (lane % 2 === 0 ? two : one).join(`p${lane}`);
        for (let i = 0; i < races / lanes; i++) {
          const group = `race-${lane}-${i}`;
          const busy = new BusyPublisher(publisher, group, { wantReport: i % 2 === 0 });
          await busy.answered(i % 3);
          await subscriber.subscribe(group);
          // From here on the client knows that it is subscribed, and what was published before is on its way.
          const first = busy.sent;
          busy.publish();
          await busy.answered(first + 1);
          const outcomes = await busy.end();
          await subscriber.settle();
          const owed = [...outcomes.keys()].filter((n) => n >= first && outcomes[n] === Outcome.DELIVERED);
          told += outcomes.length - first - owed.length;
          const got = subscriber.texts.map(Number).filter((n) => n >= first && outcomes[n] === Outcome.DELIVERED);
          if (`${got}` !== `${owed}`) lost.push(`${group}: of ${owed}, all published after opened, there came ${got}`);
          if (i % 100 > 0) await subscriber.request({ case: "unsubscribe", value: channelOf(group) });
          subscriber.forgetFrames();
          publisher.forgetFrames();
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, lane) => race(lane)));
      expect(lost).toEqual([]);
      // Nothing goes wrong here: being told that it may not have arrived is for a machine that stands still.
      expect(told).toBeLessThan(races / 100);
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
          expect(behind).toEqual(expect.arrayContaining(results.slice(3)));
          missed += results.length - behind.length;
          const wanted = Math.max(...behind.map((result) => Number(result.position?.offset)));
          await subscriber.frame(
            "message",
            (message) => Number(message.log?.offset) === wanted && isIn(message, group),
          );
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
  },
);

const durable = { hello: { features: ["durable"] } };

function isIn({ channel }: { readonly channel?: Channel | undefined }, group: string): boolean {
  return channel?.kind.value === group;
}

function channelOf(group: string) {
  return { channel: { kind: { case: "group" as const, value: group } } };
}
