import type { ClientFrame, Hello } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientFacts, ClientRule } from "./client-rule.ts";

/** `hello` comes first and once, names what the client serves, and resumes only what can be resumed. */
export function clientHandshakeRules(facts: ClientFacts): ClientRule {
  return {
    received({ kind }: ClientFrame): Violation | undefined {
      if (kind.case === "hello") {
        if (facts.hello !== undefined) return broken("FF-HS-001", "a second hello came");
        return wrongFeatures(kind.value, facts) ?? wrongSession(kind.value, facts);
      }
      if (facts.hello === undefined) return broken("FF-HS-001", `${kind.case} came before hello`);
      return facts.welcome === undefined ? broken("FF-HS-002", `${kind.case} came before welcome`) : undefined;
    },
  };
}

function wrongFeatures({ features }: Hello, { history }: ClientFacts): Violation | undefined {
  const unclaimed = features.filter((one) => !history.claims.has(one));
  if (unclaimed.length === 0) return undefined;
  return broken("FF-FE-001", `hello names ${unclaimed.join(", ")}, which the adapter does not claim`);
}

/** Attempts are counted by session: a hello that resumes none begins another one. */
function wrongSession({ resume, attempt, subscriptions }: Hello, { history }: ClientFacts): Violation | undefined {
  const before = history.attempt;
  history.attempt = attempt;
  if (resume === undefined) return undefined;
  if (attempt <= before) return broken("FF-HS-018", `attempt ${attempt} came after ${before}`);
  const newest = history.newestSecret.get(resume.sessionId);
  if (newest === undefined) return broken("FF-SE-016", "hello resumes a session that this client was never told of");
  if (resume.secret !== newest) return broken("FF-SE-015", "hello resumes with a secret that is not the newest");
  if (history.over.has(resume.sessionId)) return broken("FF-SE-017", "hello resumes a session that has ended");
  const again = subscriptions.find(({ start }) => start.case === "rewind" || start.case === "head");
  return again && broken("FF-DU-004", `a resume asks for ${again.start.case} instead of going on after a position`);
}
