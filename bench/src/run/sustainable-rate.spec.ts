import { describe, expect, it } from "vitest";
import type { Round } from "./round.ts";
import { findSustainableRate } from "./sustainable-rate.ts";

/** A server that does `capacity` messages a second with a full core. */
function serverOf(capacity: number) {
  const tried: number[] = [];
  const trial = async (messagesPerSecond: number): Promise<Round> => {
    tried.push(messagesPerSecond);
    const load = messagesPerSecond / capacity;
    return {
      messagesPerSecond,
      achievedPerSecond: Math.min(messagesPerSecond, capacity),
      cpuShare: Math.min(1, load),
      drainMs: load > 1 ? (load - 1) * 3_000 : 2,
      delivered: 1,
      cpuUsPerDelivery: 1,
      foreignShare: 0,
      latencyP50Ms: 1,
      latencyP99Ms: 1,
      bytesPerDelivery: 1,
      deliveriesPerWebSocketMessage: 1,
    };
  };
  return { trial, tried };
}

describe("findSustainableRate", () => {
  it("keeps the scenario's rate where the server keeps up, and tries nothing else", async () => {
    const { trial, tried } = serverOf(3_000);
    expect(await findSustainableRate(2_000, 4, trial)).toEqual({ messagesPerSecond: 2_000, saturated: false });
    expect(tried).toEqual([2_000]);
  });

  it("takes a core that is almost full for saturated, even without a backlog", async () => {
    const { messagesPerSecond, saturated } = await findSustainableRate(2_000, 4, serverOf(2_100).trial);
    expect(saturated).toBe(true);
    expect(messagesPerSecond).toBeLessThanOrEqual(0.9 * 2_100);
    expect(messagesPerSecond).toBeGreaterThan(0.8 * 2_100);
  });

  it("comes close to 90 % of what a saturated server can do, from below", async () => {
    const { messagesPerSecond } = await findSustainableRate(2_000, 4, serverOf(700).trial);
    expect(messagesPerSecond).toBeLessThanOrEqual(630);
    expect(messagesPerSecond).toBeGreaterThan(600);
  });

  it("repeats a trial that failed while others used the core", async () => {
    const { trial, tried } = serverOf(3_000);
    let disturbed = 2;
    const shared = async (rate: number) => {
      const round = await trial(rate);
      return disturbed-- > 0 ? { ...round, drainMs: 900, foreignShare: 0.5 } : round;
    };
    expect(await findSustainableRate(2_000, 4, shared)).toEqual({ messagesPerSecond: 2_000, saturated: false });
    expect(tried).toEqual([2_000, 2_000, 2_000]);
  });

  it("gives up where no rate is kept up with", async () => {
    const { trial } = serverOf(1_000);
    const hopeless = async (rate: number) => ({ ...(await trial(rate)), cpuShare: 1 });
    await expect(findSustainableRate(2_000, 4, hopeless)).rejects.toThrow("are kept up with");
  });
});
