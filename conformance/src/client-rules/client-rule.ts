import type { ClientFrame, Hello, ServerFrame, Welcome } from "@fanfare/proto/v1";
import type { Violation } from "../rules/rule.ts";
import type { Form } from "../run/frame-form.ts";
import type { ClientHistory } from "./client-history.ts";

/** What is known about a connection of the client under test; filled in as it goes. */
export interface ClientFacts {
  readonly history: ClientHistory;
  hello: Hello | undefined;
  welcome: Welcome | undefined;
  /** One of both sides has ended it. */
  ended: boolean;
}

/**
 * A rule that holds on every connection of a client, in every case, whatever the case is about. Each method returns the requirement that what
 * happened breaks. One object watches one connection.
 */
export interface ClientRule {
  /** The server's frame went to the client. */
  sent?(frame: ServerFrame): void;
  /** The client sent a WebSocket message; called before its frames. */
  message?(data: Uint8Array, form: Form): Violation | undefined;
  /** The client sent a frame. */
  received?(frame: ClientFrame): Violation | undefined;
  /** The client closed. */
  closed?(code: number, reason: string): Violation | undefined;
}

/** Makes the rule for one connection. */
export type ClientRuleFactory = (facts: ClientFacts) => ClientRule;
