import { CloseCode, type ServerFrame } from "@fanfare/proto/v1";
import { broken, type ServerRule, type Violation } from "./rule.ts";

/** A close has a code of the table and a reason that fits; nothing comes behind `handed_over`. */
export function closeRules(): ServerRule {
  let handedOver = false;
  return {
    received({ kind }: ServerFrame): Violation | undefined {
      if (handedOver) return broken("FF-GO-015", `${kind.case} came behind handed_over`);
      handedOver = kind.case === "handedOver";
      return undefined;
    },
    closed(code: number, reason: string): Violation | undefined {
      if (new TextEncoder().encode(reason).length > 123) return broken("FF-CL-003", "the close reason is too long");
      if (code >= 4000 && CloseCode[code] === undefined) {
        return broken("FF-CL-004", `the server closed with ${code}, which is in no table`);
      }
      if (handedOver && code !== CloseCode.HANDED_OVER) {
        return broken("FF-GO-013", `the server closed with ${code} behind handed_over`);
      }
      return undefined;
    },
  };
}
