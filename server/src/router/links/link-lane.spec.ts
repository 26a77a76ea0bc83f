import { describe, expect, it } from "vitest";
import { LinkCounters } from "../../observe/link-counters.ts";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { LaneHealth } from "./lane-health.ts";
import { LinkLane } from "./link-lane.ts";
import { resolveLinkOptions } from "./link-options.ts";

const bytes = new Uint8Array([1]);

function setUp({ home = 0 } = {}) {
  const clock = new VirtualClock();
  const answers: PromiseWithResolvers<number>[] = [];
  const lanes = {
    count: 6,
    shardOf: (lane: number) => `${lane % 3}`,
    publish: () => {
      const answer = Promise.withResolvers<number>();
      answers.push(answer);
      return answer.promise;
    },
    listen: async () => {},
  };
  const shared = { lanes, clock, random: () => 0.5, counters: new LinkCounters() };
  const health = new LaneHealth({
    ...shared,
    log: silentLog,
    publishTimeoutMs: 150,
    probe: async () => 0,
    onSick: () => {},
  });
  const failures: string[] = [];
  let quiet = 0;
  const lane = new LinkLane({
    ...shared,
    health,
    options: resolveLinkOptions(),
    peer: 7n,
    home,
    onFailed: (failure, isCurrent) => failures.push(`${failure}${isCurrent ? "" : " before"}`),
    onQuiet: () => quiet++,
  });
  return { clock, lane, health, failures, answers, counters: shared.counters, quiet: () => quiet };
}

/** Lets promises be heard. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}

describe("LinkLane", () => {
  it("tells of publishes that are rejected, not heard, or late", async () => {
    const { lane, failures, answers, counters } = setUp();
    for (let i = 0; i < 4; i++) lane.publish(bytes, 0);
    answers[0]?.reject(new Error("refused"));
    answers[1]?.resolve(0);
    answers[2]?.resolve(1);
    await settled();
    expect(failures).toEqual(["rejected", "unheard"]);
    expect(lane.deadlineMs).toBe(150);
    lane.checkDeadlines(149);
    lane.checkDeadlines(150);
    expect(failures).toEqual(["rejected", "unheard", "timed_out"]);
    expect(lane.deadlineMs).toBe(Number.POSITIVE_INFINITY);
    answers[3]?.reject(new Error("much later"));
    await settled();
    expect(failures).toHaveLength(3);
    const { publishesRejected, publishesUnheard, publishesTimedOut } = counters;
    expect([publishesRejected, publishesUnheard, publishesTimedOut]).toEqual([1, 1, 1]);
  });

  it("tells failures of a lane that it has left from those of the current one", async () => {
    const { lane, failures, answers } = setUp();
    lane.publish(bytes, 0);
    lane.move();
    lane.publish(bytes, 0);
    for (const answer of answers) answer.resolve(0);
    await settled();
    expect(failures).toEqual(["unheard before", "unheard"]);
  });

  it("says when nothing is under way any more", async () => {
    const { lane, answers, quiet } = setUp();
    lane.publish(bytes, 0);
    lane.publish(bytes, 0);
    answers[1]?.resolve(1);
    await settled();
    expect(quiet()).toBe(0);
    answers[0]?.resolve(1);
    await settled();
    expect(quiet()).toBe(1);
  });

  it("avoids a lane that failed for longer each time, until the peer has got something over it", () => {
    const { clock, lane } = setUp();
    const avoidedForMs = () => {
      lane.avoid(clock.monotonicMs());
      lane.move();
      const beganMs = clock.monotonicMs();
      while (lane.current !== 0) {
        clock.advance(100);
        lane.goHome();
      }
      return clock.monotonicMs() - beganMs;
    };
    expect([avoidedForMs(), avoidedForMs(), avoidedForMs()]).toEqual([1_000, 2_000, 4_000]);
    lane.proved();
    expect(avoidedForMs()).toBe(1_000);
    for (let i = 0; i < 10; i++) avoidedForMs();
    expect(avoidedForMs()).toBe(30_000);
  });

  it("does not go home to a sick lane", () => {
    const { lane, health } = setUp();
    lane.move(4);
    health.failed(0, "rejected", 8n, 0);
    lane.goHome();
    expect(lane.current).toBe(4);
    health.worked(0);
    lane.goHome();
    expect(lane.current).toBe(0);
  });

  it("forgets what is under way when it is closed", async () => {
    const { lane, answers, failures } = setUp();
    lane.publish(bytes, 0);
    lane.close();
    answers[0]?.reject(new Error("too late"));
    await settled();
    expect(failures).toEqual([]);
    expect(lane.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});
