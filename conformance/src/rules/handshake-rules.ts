import type { ServerFrame, Welcome } from "@fanfare/proto/v1";
import { broken, type ConnectionFacts, type ServerRule, type Violation } from "./rule.ts";

const required = [
  "sessionId",
  "origin",
  "attempt",
  "playerId",
  "appId",
  "serverTimeUs",
  "heartbeatIntervalMs",
  "heartbeatTimeoutMs",
  "limits",
  "tokenExpiresAtMs",
  "revision",
  "reconnectWindowMs",
] as const satisfies readonly (keyof Welcome)[];

/** Nothing comes before `welcome` but an error, and `welcome` says everything it has to. */
export function handshakeRules(facts: ConnectionFacts): ServerRule {
  return {
    received({ kind }: ServerFrame): Violation | undefined {
      if (facts.welcome !== undefined) {
        return kind.case === "welcome" ? broken("FF-HS-007", "a second welcome came") : undefined;
      }
      if (kind.case === "error") return undefined;
      if (kind.case !== "welcome") return broken("FF-HS-007", `${kind.case} came before welcome`);
      return incomplete(kind.value) ?? wrongFeatures(kind.value, facts) ?? wrongResume(kind.value);
    },
  };
}

function incomplete(welcome: Welcome): Violation | undefined {
  const missing = required.filter((name) => !welcome[name]);
  return missing.length > 0 ? broken("FF-HS-013", `welcome lacks ${missing.join(", ")}`) : undefined;
}

function wrongFeatures({ features }: Welcome, { hello, claims }: ConnectionFacts): Violation | undefined {
  const asked = new Set(hello?.features);
  const unasked = features.filter((one) => !asked.has(one));
  if (unasked.length > 0) return broken("FF-HS-011", `welcome names ${unasked.join(", ")}, which hello does not`);
  const served = new Set(features);
  if (served.has("hand_over") && !served.has("resume"))
    return broken("FF-FE-005", "hand_over is in force without resume");
  const lacking = [...asked].filter(
    (one) => claims.has(one) && !served.has(one) && !(one === "hand_over" && !asked.has("resume")),
  );
  if (lacking.length > 0) return broken("FF-HS-011", `welcome lacks ${lacking.join(", ")}, which the target claims`);
  const unclaimed = features.filter((one) => !claims.has(one));
  if (unclaimed.length > 0)
    return broken("FF-FE-001", `${unclaimed.join(", ")} is in force and not claimed in target.yaml`);
  return undefined;
}

function wrongResume({ features, resumeSecret, resumeWindowMs }: Welcome): Violation | undefined {
  const resumes = features.includes("resume");
  if (resumes && (resumeSecret === "" || resumeWindowMs === 0)) {
    return broken("FF-SE-001", "resume is in force, and welcome lacks resume_secret or resume_window_ms");
  }
  if (!resumes && (resumeSecret !== "" || resumeWindowMs !== 0)) {
    return broken("FF-SE-002", "resume is not in force, and welcome has resume_secret or resume_window_ms");
  }
  return undefined;
}
