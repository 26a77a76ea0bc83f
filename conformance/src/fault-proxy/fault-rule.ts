import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { FaultRule as RuleMessage, Span } from "@fanfare/proto/conformance/v1alpha";
import { HarnessError } from "../run/failure.ts";

/** Which way a frame goes. */
export type Direction = "toClient" | "toServer";

/** How a connection ends; as FaultCut. */
export interface Cut {
  readonly closeCode: number;
  readonly reset: boolean;
  readonly pass: boolean;
  readonly serverStands: boolean;
  readonly httpStatus: number;
}

/** What is done to a frame, or at an opening. */
export type FaultAction =
  | { readonly kind: "drop" | "stall" }
  | { readonly kind: "duplicate" | "reorder"; readonly count: number }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "rewrite"; readonly patch: JsonObject }
  | ({ readonly kind: "cut" } & Cut);

/** A rule of the fault proxy; fault.proto says what each field means. */
export interface FaultRule {
  readonly name: string;
  readonly connection: number;
  readonly point: Direction | "opening";
  /** Unset at openings. */
  readonly pattern: JsonObject;
  readonly nth: number;
  readonly times: number;
  readonly action: FaultAction;
}

/** How the values of a rule are made. */
export interface RuleValues {
  fill<T extends JsonValue>(value: T): T;
  spanMs(span: Span): number;
}

/** A rule as the proxy takes it. @throws HarnessError when it says too little */
export function faultRule(message: RuleMessage, values: RuleValues): FaultRule {
  const { name, connection, point, nth, times } = message;
  if (point.case === undefined) throw new HarnessError("a rule of the fault proxy has no point");
  const action = actionOf(message, values);
  if (point.case === "opening" && action.kind !== "cut" && action.kind !== "delay") {
    throw new HarnessError(`${action.kind} cannot happen to the opening of a connection`);
  }
  const pattern = point.case === "opening" ? {} : values.fill(point.value);
  return { name, connection, point: point.case, pattern, nth: nth || 1, times, action };
}

function actionOf({ action }: RuleMessage, values: RuleValues): FaultAction {
  switch (action.case) {
    case "drop":
    case "stall":
      return { kind: action.case };
    case "duplicate":
    case "reorder":
      return { kind: action.case, count: action.value };
    case "delay":
      return { kind: "delay", ms: values.spanMs(action.value) };
    case "rewrite":
      return { kind: "rewrite", patch: values.fill(action.value) };
    case "cut":
      return { kind: "cut", ...action.value };
    default:
      throw new HarnessError("a rule of the fault proxy has no action");
  }
}
