import type { JsonValue } from "@bufbuild/protobuf";
import type { ControlAnswer } from "../target/control-client.ts";
import type { ServerHandle } from "../target/environment.ts";
import type { Trace } from "./trace.ts";

/** What steps that concern a case as a whole need of it. */
export interface CaseState {
  readonly server: ServerHandle;
  readonly trace: Trace;
  /** How long to wait for what has to come at once. */
  readonly patienceMs: number;
  readonly pendingCalls: Map<string, Promise<ControlAnswer>>;
  /** Aborted when the case ends. */
  readonly ending: AbortController;
  /** Fills in placeholders; `n` counts repetitions. */
  fill<T extends JsonValue>(value: T, actor?: undefined, n?: number): T;
  /** Keeps what a step took. */
  label(name: string, json: JsonValue): void;
  labelled(name: string): { readonly order: number };
}
