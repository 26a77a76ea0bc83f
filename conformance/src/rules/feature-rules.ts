import { getOption, hasOption } from "@bufbuild/protobuf";
import { feature as featureOption, type ServerFrame, ServerFrameSchema } from "@fanfare/proto/v1";
import { broken, type ConnectionFacts, type ServerRule, type Violation } from "./rule.ts";

const featureOf = new Map(
  ServerFrameSchema.fields
    .filter((field) => hasOption(field, featureOption))
    .map((field) => [field.localName, getOption(field, featureOption)]),
);

/** Frames and fields of a feature come only where it is in force. */
export function featureRules(facts: ConnectionFacts): ServerRule {
  return {
    received({ kind }: ServerFrame): Violation | undefined {
      if (facts.welcome === undefined && kind.case !== "welcome") return undefined;
      const served = new Set(facts.welcome?.features);
      const feature = featureOf.get(kind.case ?? "");
      if (feature !== undefined && !served.has(feature))
        return broken("FF-FE-003", `${kind.case} came without ${feature}`);
      if (kind.case !== "reply" || kind.value.result.case !== "publishResult") return undefined;
      if (kind.value.result.value.report !== undefined && !served.has("report")) {
        return broken("FF-FE-003", "a report came without the feature");
      }
      return undefined;
    },
  };
}
