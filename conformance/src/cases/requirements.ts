import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** One obligation of the protocol text. */
export interface Requirement {
  /** For instance `FF-HB-003`. */
  readonly id: string;
  readonly level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY";
  readonly binds: "client" | "server" | "both";
  readonly section: string;
  readonly text: string;
}

const file = new URL("../../requirements/v1.yaml", import.meta.url);

/** All obligations of revision 1, by id, in the order of the text. */
export function readRequirements(): ReadonlyMap<string, Requirement> {
  const { requirements } = parse(readFileSync(file, "utf8")) as { requirements: Requirement[] };
  return new Map(requirements.map((one) => [one.id, one]));
}
