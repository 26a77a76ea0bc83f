import type { ClientFrame, Goaway, ServerFrame } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientFacts, ClientRule } from "./client-rule.ts";

/** What timers may be early by, in milliseconds. */
const toleranceMs = 20;

/** The connection of a session that was told to go, and when. */
const going = new WeakMap<ClientFacts, { readonly goaway: Goaway; readonly atMs: number }>();

/** A client moves when its time has come, closes with the codes that are its own, and tells no secret in doing so. */
export function clientGoingRules(facts: ClientFacts): ClientRule {
  const { history } = facts;
  return {
    sent({ kind }: ServerFrame): void {
      if (kind.case !== "goaway") return;
      going.set(facts, { goaway: kind.value, atMs: performance.now() });
      history.leaving = facts;
    },
    received({ kind }: ClientFrame): Violation | undefined {
      const former = history.leaving;
      if (kind.case !== "hello" || former === undefined || former === facts || former.ended) return undefined;
      const { goaway, atMs = 0 } = going.get(former) ?? {};
      const leastMs = (goaway?.reconnectAfterMs ?? 0) - toleranceMs;
      const passedMs = performance.now() - atMs;
      if (passedMs >= leastMs) return undefined;
      return broken("FF-GO-006", `the client moves ${Math.round(passedMs)} ms after goaway`);
    },
    closed(code: number, reason: string): Violation | undefined {
      if (code >= 4000 && code <= 4999 && ![4000, 4001, 4101].includes(code)) {
        return broken("FF-SE-022", `the client closed with ${code}`);
      }
      const told = [...history.secrets].some((secret) => reason.includes(secret));
      return told ? broken("FF-SC-003", "the close reason holds a token or a resume secret") : undefined;
    },
  };
}
