import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientRule } from "./client-rule.ts";

/** Each pong answers a ping and has its times, and each ping has its own. */
export function clientHeartbeatRules(): ClientRule {
  const pings = new Map<number, bigint[]>();
  return {
    sent({ id, kind }: ServerFrame): void {
      if (kind.case === "ping") pings.set(id, [...(pings.get(id) ?? []), kind.value.sentAtUs]);
    },
    received({ id, kind }: ClientFrame): Violation | undefined {
      if (kind.case === "ping" && kind.value.sentAtUs === 0n) {
        return broken("FF-HB-007", "a ping without sent_at_us came");
      }
      if (kind.case !== "pong") return undefined;
      const times = pings.get(id) ?? [];
      const { pingSentAtUs, receivedAtUs, sentAtUs } = kind.value;
      const index = times.indexOf(pingSentAtUs);
      if (index === -1) return broken("FF-HB-008", `a pong under ${id} came that answers no ping`);
      times.splice(index, 1);
      if (receivedAtUs === 0n || sentAtUs < receivedAtUs) {
        return broken("FF-HB-008", `pong was received at ${receivedAtUs} and sent at ${sentAtUs}`);
      }
      return undefined;
    },
  };
}
