import type { MessageInitShape } from "@bufbuild/protobuf";
import { Outcome, type PublishResultSchema } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { toWirePosition } from "../log/log-position.ts";
import type { RouteResult } from "./router.ts";

/** What a publisher is told, with the report if it is owed one. */
export function publishResultOf(
  result: RouteResult,
  withReport: boolean,
): MessageInitShape<typeof PublishResultSchema> & { outcome: Outcome } {
  switch (result.outcome) {
    case Outcome.FAILED:
    case Outcome.UNKNOWN: {
      const { outcome, code, message, position, report } = result;
      const error = new FanfareError(code, message).toProto();
      return {
        ...{ outcome, error },
        ...(position && { position: toWirePosition(position) }),
        ...(withReport && outcome === Outcome.UNKNOWN && report && { report }),
      };
    }
    case Outcome.STORED: {
      const { outcome, repeated, report } = result;
      const stored = { outcome, repeated, position: toWirePosition(result.position) };
      return withReport ? { ...stored, report } : stored;
    }
    default:
      return withReport ? { outcome: result.outcome, report: result.report } : { outcome: result.outcome };
  }
}
