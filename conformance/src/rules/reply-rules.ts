import type { ClientFrame, Reply, ServerFrame } from "@fanfare/proto/v1";
import { broken, type ServerRule, type Violation } from "./rule.ts";

const results: Partial<Record<string, Reply["result"]["case"]>> = {
  subscribe: "subscribed",
  unsubscribe: "unsubscribed",
  publish: "publishResult",
  rpc: "rpcResult",
  presence: "presencePage",
  presenceUpdate: "presenceUpdated",
  history: "historyPage",
  cursorCommit: "cursorCommitted",
  refresh: "refreshed",
};

/** Kinds that no reply answers, whatever their id. */
const unanswered: ReadonlySet<string | undefined> = new Set(["hello", "ping", "pong", "rpcResult", "disconnect"]);

/** Each reply belongs to a request, comes once, and holds the result of its kind. */
export function replyRules(): ServerRule {
  const waiting = new Map<number, (string | undefined)[]>();
  return {
    sent({ id, kind }: ClientFrame): undefined {
      if (id === 0 || unanswered.has(kind.case)) return;
      waiting.set(id, [...(waiting.get(id) ?? []), kind.case]);
    },
    received({ id, kind }: ServerFrame): Violation | undefined {
      if (kind.case !== "reply") return undefined;
      if (id === 0) return broken("FF-FR-003", "a reply came under id 0");
      const asked = waiting.get(id);
      if (asked === undefined)
        return broken("FF-FR-003", `a reply came under ${id}, an id of no request that is answered`);
      if (asked.length === 0) return broken("FF-FR-002", `a second reply came under ${id}`);
      const { result } = kind.value;
      if (result.case === undefined) return broken("FF-BD-002", "a reply without a result came");
      const index = asked.findIndex((one) => result.case === "error" || results[one ?? ""] === result.case);
      if (index === -1) return broken("FF-FR-002", `the reply under ${id} to ${asked.join(", ")} holds ${result.case}`);
      asked.splice(index, 1);
      return undefined;
    },
  };
}
