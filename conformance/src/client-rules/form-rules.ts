import { type ClientFrame, ClientFrameSchema, ClientFramesSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { jsonProblem } from "../rules/form-rules.ts";
import { broken, type Violation } from "../rules/rule.ts";
import type { Form } from "../run/frame-form.ts";
import type { ClientFacts, ClientRule } from "./client-rule.ts";

const validate = validatorFor(ClientFrameSchema);

/** Messages keep their size, frames their bounds, and JSON its form. */
export function clientFormRules(facts: ClientFacts): ClientRule {
  return {
    message(data: Uint8Array, form: Form): Violation | undefined {
      const most = facts.welcome?.limits?.maxFrameBytes;
      if (most !== undefined && data.length > most) {
        return broken("FF-TR-014", `a message of ${data.length} bytes came`);
      }
      if (form === "binary") return undefined;
      return jsonProblem(ClientFramesSchema, JSON.parse(Buffer.from(data).toString()), "", false);
    },
    received(frame: ClientFrame): Violation | undefined {
      const violation = validate(frame);
      return violation && broken("FF-BD-001", `${violation.field} ${violation.message}`);
    },
  };
}
