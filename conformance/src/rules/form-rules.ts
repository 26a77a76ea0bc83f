import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type ServerFrame, ServerFrameSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { type ArrivedMessage, broken, type ConnectionFacts, type ServerRule, type Violation } from "./rule.ts";

const validateFrame = validatorFor(ServerFrameSchema);
const maxJoinedBytes = 65_536;
const maxBytes = { binary: 2 * 1024 * 1024, json: 8 * 1024 * 1024 };

/** Messages keep their size, frames their bounds, and JSON its form. */
export function formRules(facts: ConnectionFacts): ServerRule {
  return {
    message({ bytes, frames, json }: ArrivedMessage): Violation | undefined {
      if (bytes > maxBytes[facts.form]) return broken("FF-TR-012", `a message of ${bytes} bytes came`);
      if (frames > 1 && bytes >= maxJoinedBytes) {
        return broken("FF-TR-011", `${frames} frames came in one message of ${bytes} bytes`);
      }
      return json === undefined ? undefined : jsonProblem(ServerFramesSchema, json, "");
    },
    received(frame: ServerFrame): Violation | undefined {
      const violation = validateFrame(frame);
      return violation && broken("FF-BD-002", `${violation.field} ${violation.message}`);
    },
  };
}

const wide: ReadonlySet<ScalarType | undefined> = new Set([
  ...[ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64],
]);

/** What a sender's JSON has that FF-JS-001 and, for `enumsAsNumbers`, FF-JS-002 do not allow. */
export function jsonProblem(
  desc: DescMessage,
  json: unknown,
  path: string,
  enumsAsNumbers = true,
): Violation | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return broken("FF-JS-001", `${path || "the message"} is no JSON object`);
  }
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find((one) => one.jsonName === key);
    if (field === undefined) return broken("FF-JS-001", `${path}.${key} is no field of ${desc.name} in lowerCamelCase`);
    const elements = field.fieldKind === "list" && Array.isArray(value) ? value : [value];
    for (const element of elements) {
      const problem = valueProblem(field, element, `${path}.${key}`, enumsAsNumbers);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function valueProblem(field: DescField, value: unknown, path: string, enumsAsNumbers: boolean): Violation | undefined {
  if (field.message !== undefined) return jsonProblem(field.message, value, path, enumsAsNumbers);
  if (field.enum !== undefined && enumsAsNumbers && typeof value !== "number") {
    return broken("FF-JS-002", `${path} is ${JSON.stringify(value)}, and enum values are written as numbers`);
  }
  if (wide.has(field.scalar) && typeof value !== "string") {
    return broken("FF-JS-001", `${path} is ${JSON.stringify(value)}, and 64-bit integers are written as strings`);
  }
  return undefined;
}
