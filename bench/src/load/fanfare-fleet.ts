import type { Ready } from "../contenders/messages.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { Deliveries } from "./deliveries.ts";
import { FanfareSession } from "./fanfare-session.ts";
import { type Fleet, openMany } from "./fleet.ts";
import { tokenOf } from "./players.ts";
import { stampedPayload } from "./stamp.ts";

/** Connects the members by the real protocol; the first of them publish. */
export async function openFanfareFleet(scenario: Scenario, ready: Ready): Promise<Fleet> {
  const { group, payloadBytes } = scenario;
  const deliveries = new Deliveries(scenario.members, scenario.publishers);
  const sessions = await openMany(scenario.members, (member) => {
    const token = tokenOf(member, ready.tokenSecret!);
    return FanfareSession.open(member, { port: ready.port, token, group }, deliveries);
  });
  const publishers = sessions.slice(0, scenario.publishers);
  const counters = new Uint32Array(scenario.publishers);
  return {
    deliveries,
    get unanswered(): number {
      return publishers.reduce((sum, session) => sum + session.unanswered, 0);
    },
    publish: (publisher) => {
      const stamp = { sentAtMs: performance.now(), publisher, counter: counters[publisher]!++ };
      publishers[publisher]!.publish(group, stampedPayload(payloadBytes, stamp));
    },
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.close();
    },
  };
}
