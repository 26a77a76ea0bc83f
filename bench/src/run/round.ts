import { setTimeout as sleep } from "node:timers/promises";
import type { ContenderProcess } from "../contenders/contender-process.ts";
import type { Fleet } from "../load/fleet.ts";
import { coreBusyMs } from "../measure/core-use.ts";
import { canPin, serverCore } from "../measure/pinning.ts";
import { quantile } from "../measure/statistics.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { checkDeliveries } from "./check-deliveries.ts";
import { pace } from "./pacer.ts";

/** What one contender did in one round. */
export interface Round {
  /** Publishes a second, as asked for. */
  readonly messagesPerSecond: number;
  /** Publishes a second until the last was delivered. */
  readonly achievedPerSecond: number;
  readonly delivered: number;
  /** CPU of the server process, user and system, in microseconds for each delivered message. */
  readonly cpuUsPerDelivery: number;
  /** The same as a share of one core (0 to 1) over the time of the round. */
  readonly cpuShare: number;
  /** Share of the server's core (0 to 1) that others used meanwhile; undefined where it cannot be known. */
  readonly foreignShare: number | undefined;
  /** From the last publish to the last delivery, in milliseconds. */
  readonly drainMs: number;
  /** Publish to receive at the sampled members, in milliseconds. */
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** Bytes of WebSocket messages for each delivered message, their headers left out. */
  readonly bytesPerDelivery: number;
  /** Delivered messages that shared a WebSocket message, on the average. */
  readonly deliveriesPerWebSocketMessage: number;
}

/** Without any delivery for this long, what is missing is taken for lost. */
const lostAfterMs = 5_000;
/** After the last expected delivery: time in which a doubled one would show. */
const settleMs = 50;

/**
 * Publishes at this rate for this time, waits until everything is delivered, and checks that every member got each message once.
 * Throws a DeliveryError if not.
 */
export async function runRound(
  scenario: Scenario,
  contender: ContenderProcess,
  fleet: Fleet,
  messagesPerSecond: number,
  seconds: number,
): Promise<Round> {
  const { deliveries } = fleet;
  const messages = Math.max(1, Math.round(messagesPerSecond * seconds));
  const expected = messages * scenario.members;
  deliveries.reset();
  const coreBefore = coreBusyMs(serverCore);
  const before = await contender.cpu();
  const startedMs = performance.now();
  await pace(messagesPerSecond, messages, (index) => fleet.publish(index % scenario.publishers));
  const publishedMs = performance.now();
  await allDelivered(fleet, expected);
  const deliveredMs = performance.now();
  const after = await contender.cpu();
  const wallMs = performance.now() - startedMs;
  const coreAfter = coreBusyMs(serverCore);
  await sleep(settleMs);
  checkDeliveries(fleet, messages);
  const cpuUs = after.userUs + after.systemUs - before.userUs - before.systemUs;
  return {
    messagesPerSecond,
    achievedPerSecond: (messages / (deliveredMs - startedMs)) * 1_000,
    delivered: deliveries.total,
    cpuUsPerDelivery: cpuUs / deliveries.total,
    cpuShare: cpuUs / 1_000 / wallMs,
    foreignShare:
      canPin && coreBefore !== undefined && coreAfter !== undefined
        ? Math.max(0, (coreAfter - coreBefore - cpuUs / 1_000) / wallMs)
        : undefined,
    drainMs: deliveredMs - publishedMs,
    latencyP50Ms: quantile(deliveries.latenciesMs, 0.5),
    latencyP99Ms: quantile(deliveries.latenciesMs, 0.99),
    bytesPerDelivery: deliveries.bytes / deliveries.total,
    deliveriesPerWebSocketMessage: deliveries.total / deliveries.webSocketMessages,
  };
}

async function allDelivered(fleet: Fleet, expected: number): Promise<void> {
  const { deliveries } = fleet;
  let lastTotal = -1;
  let lastProgressMs = performance.now();
  while (deliveries.total < expected || fleet.unanswered > 0) {
    if (deliveries.problems.length > 0) return;
    if (deliveries.total !== lastTotal) {
      lastTotal = deliveries.total;
      lastProgressMs = performance.now();
    } else if (performance.now() - lastProgressMs > lostAfterMs) return;
    await sleep(1);
  }
}
