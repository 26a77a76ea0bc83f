import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import { broken, type ServerRule, type Violation } from "./rule.ts";

/** Pings and calls have ids of their own and a time; a pong answers a ping and repeats its time. */
export function heartbeatRules(): ServerRule {
  const asked = new Map<number, bigint[]>();
  const open = new Set<number>();
  return {
    sent({ id, kind }: ClientFrame): undefined {
      if (kind.case === "ping") asked.set(id, [...(asked.get(id) ?? []), kind.value.sentAtUs]);
      if (kind.case === "pong" || kind.case === "rpcResult") open.delete(id);
    },
    received({ id, kind }: ServerFrame): Violation | undefined {
      if (kind.case === "ping" || kind.case === "rpc") {
        if (id === 0) return broken("FF-FR-016", `${kind.case} came under id 0`);
        if (open.has(id)) return broken("FF-FR-016", `${kind.case} came under ${id}, which waits for its answer`);
        open.add(id);
      }
      if (kind.case === "ping" && kind.value.sentAtUs === 0n)
        return broken("FF-HB-007", "a ping without sent_at_us came");
      if (kind.case !== "pong") return undefined;
      const times = asked.get(id);
      if (times === undefined || times.length === 0)
        return broken("FF-HB-003", `a pong came under ${id}, which no ping has`);
      const { pingSentAtUs, receivedAtUs, sentAtUs } = kind.value;
      const index = times.indexOf(pingSentAtUs);
      if (index === -1) return broken("FF-HB-008", "pong.ping_sent_at_us is not that of the ping");
      times.splice(index, 1);
      if (receivedAtUs === 0n || sentAtUs < receivedAtUs) {
        return broken("FF-HB-008", `pong was received at ${receivedAtUs} and sent at ${sentAtUs}`);
      }
      return undefined;
    },
  };
}
