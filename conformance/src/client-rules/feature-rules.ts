import { type DescMessage, getOption, hasOption, isMessage, type Message } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, feature as featureOption } from "@fanfare/proto/v1";
import { broken, type Violation } from "../rules/rule.ts";
import type { ClientFacts, ClientRule } from "./client-rule.ts";

/** Frames and fields of a feature come only where it is in force; in `hello`, where it is asked for. */
export function clientFeatureRules(facts: ClientFacts): ClientRule {
  return {
    received(frame: ClientFrame): Violation | undefined {
      const { kind } = frame;
      // An rpc_result also answers what a client does not know: FF-FR-014.
      if (kind.case === "rpcResult") return undefined;
      const inForce = new Set(kind.case === "hello" ? kind.value.features : facts.welcome?.features);
      const found = fieldWithout(ClientFrameSchema, frame, inForce, "");
      return found === undefined ? undefined : broken("FF-FE-002", found);
    },
  };
}

/** The first field that is set and whose feature is not in force. */
function fieldWithout(
  desc: DescMessage,
  message: Message,
  inForce: ReadonlySet<string>,
  path: string,
): string | undefined {
  const values = message as unknown as Record<string, unknown>;
  for (const field of desc.fields) {
    const chosen = field.oneof && (values[field.oneof.localName] as { case?: string; value?: unknown });
    const value =
      chosen === undefined ? values[field.localName] : chosen.case === field.localName ? chosen.value : undefined;
    if (value === undefined || value === false || value === 0 || value === "") continue;
    const name = `${path}${field.name}`;
    const feature = hasOption(field, featureOption) ? getOption(field, featureOption) : "";
    if (feature !== "" && !inForce.has(feature)) return `${name} came without ${feature}`;
    if (field.message === undefined) continue;
    const { message: inner } = field;
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      const found = isMessage(one) ? fieldWithout(inner, one, inForce, `${name}.`) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
