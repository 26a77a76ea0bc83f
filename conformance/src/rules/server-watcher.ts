import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import { CaseFailure } from "../run/failure.ts";
import type { Form } from "../run/frame-form.ts";
import { closeRules } from "./close-rules.ts";
import { deliveryRules } from "./delivery-rules.ts";
import { durableRules } from "./durable-rules.ts";
import { featureRules } from "./feature-rules.ts";
import { formRules } from "./form-rules.ts";
import { handshakeRules } from "./handshake-rules.ts";
import { heartbeatRules } from "./heartbeat-rules.ts";
import { presenceRules } from "./presence-rules.ts";
import { replyRules } from "./reply-rules.ts";
import type { ArrivedMessage, ConnectionFacts, ServerRule, ServerRuleFactory, Violation } from "./rule.ts";
import { secretRules } from "./secret-rules.ts";

const factories: readonly ServerRuleFactory[] = [
  formRules,
  handshakeRules,
  featureRules,
  replyRules,
  heartbeatRules,
  deliveryRules,
  durableRules,
  presenceRules,
  closeRules,
  secretRules,
];

/** Requirements that every server case holds the server to, on every connection. */
export const watchedOfServers: readonly string[] = [
  ...["FF-HS-007", "FF-HS-011", "FF-HS-013", "FF-FE-001", "FF-FE-003", "FF-FE-005", "FF-SE-001", "FF-SE-002"],
  ...["FF-FR-002", "FF-FR-003", "FF-FR-016", "FF-CL-003", "FF-CL-004", "FF-GO-013", "FF-GO-015"],
  ...[
    "FF-TR-008",
    "FF-TR-011",
    "FF-TR-012",
    "FF-BD-002",
    "FF-JS-001",
    "FF-JS-002",
    "FF-HB-003",
    "FF-HB-007",
    "FF-HB-008",
  ],
  ...["FF-OR-002", "FF-DU-008", "FF-DU-010", "FF-DU-017", "FF-DU-018", "FF-DU-021", "FF-DU-022", "FF-DU-025"],
  ...["FF-OR-001", "FF-OR-005", "FF-ID-010", "FF-ID-016", "FF-PB-008", "FF-PR-003", "FF-PR-005", "FF-SC-003"],
];

/** Holds one connection to every rule. The first one that is broken fails the case, whatever it is about. */
export class ServerWatcher {
  readonly facts: ConnectionFacts;
  readonly #rules: readonly ServerRule[];
  readonly #broken: (failure: CaseFailure) => void;

  constructor(form: Form, claims: ReadonlySet<string>, broken: (failure: CaseFailure) => void) {
    this.facts = { form, claims, hello: undefined, welcome: undefined };
    this.#rules = factories.map((make) => make(this.facts));
    this.#broken = broken;
  }

  sent(frame: ClientFrame): void {
    if (frame.kind.case === "hello") this.facts.hello ??= frame.kind.value;
    for (const rule of this.#rules) rule.sent?.(frame);
  }

  message(message: ArrivedMessage): void {
    for (const rule of this.#rules) this.#judge(rule.message?.(message));
  }

  received(frame: ServerFrame): void {
    for (const rule of this.#rules) this.#judge(rule.received?.(frame));
    if (frame.kind.case === "welcome") this.facts.welcome ??= frame.kind.value;
  }

  closed(code: number, reason: string): void {
    for (const rule of this.#rules) this.#judge(rule.closed?.(code, reason));
  }

  /** Breaks a rule that only the connection itself can see. */
  violate(spec: string, text: string): void {
    this.#judge({ spec, text });
  }

  #judge(violation: Violation | undefined): void {
    if (violation !== undefined) this.#broken(new CaseFailure(violation.text, violation.spec));
  }
}
