import type { ClientFrame, Hello, ServerFrame, Welcome } from "@fanfare/proto/v1";
import type { Form } from "../run/frame-form.ts";

/** A requirement that was broken. */
export interface Violation {
  readonly spec: string;
  readonly text: string;
}

/** What is known about a connection; filled in as it goes. */
export interface ConnectionFacts {
  readonly form: Form;
  /** Features that the implementation claims. */
  readonly claims: ReadonlySet<string>;
  hello: Hello | undefined;
  welcome: Welcome | undefined;
}

/** A WebSocket message that arrived. */
export interface ArrivedMessage {
  readonly bytes: number;
  readonly frames: number;
  /** The JSON value of a text message. */
  readonly json?: unknown;
}

/**
 * A rule that holds on every connection, in every case, whatever the case is about. Each method returns the requirement that what happened
 * breaks. One object watches one connection.
 */
export interface ServerRule {
  /** The runner sent a frame. */
  sent?(frame: ClientFrame): void;
  /** The server sent a frame. */
  received?(frame: ServerFrame): Violation | undefined;
  /** The server sent a WebSocket message; called before its frames. */
  message?(message: ArrivedMessage): Violation | undefined;
  /** The server closed. */
  closed?(code: number, reason: string): Violation | undefined;
}

/** Makes the watcher of one connection. */
export type ServerRuleFactory = (facts: ConnectionFacts) => ServerRule;

/** A violation. */
export function broken(spec: string, text: string): Violation {
  return { spec, text };
}
