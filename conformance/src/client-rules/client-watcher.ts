import type { ClientFrame, ServerFrame } from "@fanfare/proto/v1";
import type { Violation } from "../rules/rule.ts";
import type { Form } from "../run/frame-form.ts";
import type { ClientHistory } from "./client-history.ts";
import type { ClientFacts, ClientRule, ClientRuleFactory } from "./client-rule.ts";
import { clientFeatureRules } from "./feature-rules.ts";
import { clientFormRules } from "./form-rules.ts";
import { clientGoingRules } from "./going-rules.ts";
import { clientHandshakeRules } from "./handshake-rules.ts";
import { clientHeartbeatRules } from "./heartbeat-rules.ts";
import { clientPublishRules } from "./publish-rules.ts";
import { clientRequestRules } from "./request-rules.ts";

const factories: readonly ClientRuleFactory[] = [
  clientHandshakeRules,
  clientFeatureRules,
  clientFormRules,
  clientRequestRules,
  clientPublishRules,
  clientHeartbeatRules,
  clientGoingRules,
];

/** Requirements that every client case holds the client to, on every connection. */
export const watchedOfClients: readonly string[] = [
  ...["FF-TR-001", "FF-TR-008", "FF-TR-014", "FF-HS-001", "FF-HS-002", "FF-HS-003", "FF-HS-018", "FF-FR-001"],
  ...["FF-ID-001", "FF-ID-003", "FF-ID-004", "FF-ID-006", "FF-FE-001", "FF-FE-002", "FF-BD-001", "FF-SE-015"],
  ...["FF-SE-017", "FF-SE-022", "FF-BO-008", "FF-HB-007", "FF-HB-008", "FF-GO-006", "FF-GO-009", "FF-RP-001"],
  ...["FF-SC-003", "FF-JS-001"],
];

/** Holds one connection of the client under test to every rule. The first one that is broken fails the case, whatever it is about. */
export class ClientWatcher {
  readonly #facts: ClientFacts;
  readonly #rules: readonly ClientRule[];

  constructor(history: ClientHistory) {
    this.#facts = { history, hello: undefined, welcome: undefined, ended: false };
    this.#rules = factories.map((make) => make(this.#facts));
  }

  /** The server's frame went to the client. */
  sent(frame: ServerFrame): void {
    for (const rule of this.#rules) rule.sent?.(frame);
    if (frame.kind.case !== "welcome") return;
    this.#facts.welcome ??= frame.kind.value;
    this.#facts.history.welcomed(frame.kind.value);
  }

  /** The client sent a WebSocket message; called before its frames. */
  message(data: Uint8Array, form: Form): void {
    for (const rule of this.#rules) this.#judge(rule.message?.(data, form));
  }

  received(frame: ClientFrame): void {
    for (const rule of this.#rules) this.#judge(rule.received?.(frame));
    if (frame.kind.case === "hello") {
      this.#facts.hello ??= frame.kind.value;
      this.#facts.history.secrets.add(frame.kind.value.token);
    }
  }

  /** The client sent something that holds no frames. */
  undecodable(why: string): void {
    this.#judge({ spec: "FF-TR-008", text: `no ClientFrames came: ${why}` });
  }

  /** The client closed. */
  closed(code: number, reason: string): void {
    for (const rule of this.#rules) this.#judge(rule.closed?.(code, reason));
  }

  /** The connection has ended, whoever ended it; `code` if the server closed it with one that may end the session. */
  ended(endsSession: boolean): void {
    const { welcome, history } = this.#facts;
    this.#facts.ended = true;
    if (endsSession && welcome !== undefined) history.over.add(welcome.sessionId);
  }

  #judge(violation: Violation | undefined): void {
    if (violation !== undefined) this.#facts.history.violate(violation);
  }
}
