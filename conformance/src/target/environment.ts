import type { JsonObject } from "@bufbuild/protobuf";
import type { Profile, TokenSource } from "@fanfare/proto/conformance/v1alpha";
import type { ControlAnswer } from "./control-client.ts";

/** A server that a case talks to. */
export interface ServerHandle {
  /** WebSocket URLs; a second one where it can move clients. */
  readonly addresses: readonly string[];
  /** Undefined without a control API. */
  readonly control: ControlCalls | undefined;
  /** Sends the clients of the first address to the second; undefined where it cannot. */
  move?(request: { readonly windowMs: number; readonly deadlineMs: number }): Promise<void> | void;
}

/** Calls of the control API. */
export interface ControlCalls {
  call(method: string, request: JsonObject, app: string, signal: AbortSignal): Promise<ControlAnswer>;
}

/** A server of a case's own. */
export interface DisposableServer extends ServerHandle, AsyncDisposable {}

/** What cases for servers run against. */
export interface ServerEnvironment {
  readonly name: string;
  readonly profiles: ReadonlySet<Profile>;
  /** Features that are claimed. */
  readonly features: ReadonlySet<string>;
  readonly tokens: TokenSource;
  /** How long to wait for what has to come at once, in milliseconds. */
  readonly patienceMs: number;
  /** The server that cases share. */
  readonly shared: ServerHandle;
  /** Starts a server for one case; undefined if that is not possible. */
  readonly disposable: (() => Promise<DisposableServer>) | undefined;
  /** Disposable servers have a second address. */
  readonly canMove: boolean;
}
