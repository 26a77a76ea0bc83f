import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientRule } from "./client-rule.ts";

const requests: ReadonlySet<string | undefined> = new Set([
  ...["subscribe", "unsubscribe", "publish", "rpc", "presence", "presenceUpdate", "history", "cursorCommit", "refresh"],
]);
const serverKinds: ReadonlySet<string | undefined> = new Set([
  ...["welcome", "reply", "message", "skip", "subscription", "presenceEvent", "ping", "pong", "goaway", "handedOver"],
  ...["dropped", "error"],
]);

/** Ids of requests are free, and each call is answered once. */
export function clientRequestRules(): ClientRule {
  const pending = new Set<number>();
  /** Calls that wait for their result, and frames of unknown kinds that are answered alike. */
  const asked = new Map<number, number>();
  return {
    sent({ id, kind }: ServerFrame): void {
      if (kind.case === "reply") pending.delete(id);
      if (id !== 0 && !serverKinds.has(kind.case)) asked.set(id, (asked.get(id) ?? 0) + 1);
    },
    received({ id, kind }: ClientFrame): Violation | undefined {
      if (kind.case === "rpcResult") {
        const left = asked.get(id) ?? 0;
        if (left === 0) return broken("FF-RP-001", `an rpc_result came under ${id}, for which no call waits`);
        asked.set(id, left - 1);
      }
      if (!requests.has(kind.case) || id === 0) return undefined;
      if (pending.has(id)) return broken("FF-FR-001", `id ${id} waits for its reply already`);
      pending.add(id);
      return undefined;
    },
  };
}
