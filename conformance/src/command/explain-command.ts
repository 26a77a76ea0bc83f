import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { CaseSchema } from "@fanfare/proto/conformance/v1alpha";
import type { Command } from "commander";
import { stringify } from "yaml";
import { loadSuites, suitesFolder } from "../cases/load-suites.ts";
import { suggestion } from "../cases/nearest-name.ts";
import { readRequirements } from "../cases/requirements.ts";
import { profileName } from "../report/summary.ts";
import { selectedDefinitions } from "../run/select-cases.ts";
import { exitCodeHelp, usageExitCode } from "./exit-code.ts";

/** `fanfare-conformance explain`. */
export function addExplainCommand(program: Command): void {
  program
    .command("explain")
    .summary("say what a case proves and how")
    .description("Shows a case: the requirements in the words of the protocol, and its steps.")
    .argument("<case>", "its id; of several cases that begin so, the titles are shown")
    .addHelpText(
      "after",
      `\nExample:\n  fanfare-conformance explain core/handshake/welcome-is-complete\n\n${exitCodeHelp}`,
    )
    .action((id: string) => {
      process.exitCode = explain(id);
    });
}

function explain(name: string): number {
  const requirements = readRequirements();
  const all = loadSuites(requirements);
  const id = name.replace(/#json$/, "");
  const found = all.find(({ definition }) => definition.id === id);
  const inside = selectedDefinitions(all, { cases: [id.replace(/\/$/, "")] });
  if (found === undefined && inside.length > 0) {
    for (const { id: one, title } of inside) console.log(`${one.padEnd(52)} ${title}`);
    return 0;
  }
  if (found === undefined) {
    console.error(
      `there is no case ${name}${suggestion(
        id,
        all.map(({ definition }) => definition.id),
      )}`,
    );
    return usageExitCode;
  }
  const { definition, file } = found;
  const line =
    readFileSync(join(suitesFolder, file), "utf8")
      .split("\n")
      .findIndex((text) => text.includes(`id: ${id}`)) + 1;
  console.log(`${id} (${profileName(definition.profile)}, suites/${file}:${line})\n${definition.title}\n`);
  for (const spec of definition.specs) {
    const requirement = requirements.get(spec);
    console.log(`${spec} (section ${requirement?.section})\n  ${requirement?.text}`);
  }
  if (definition.features.length > 0) console.log(`\nNeeds the features ${definition.features.join(", ")}`);
  if (definition.notes !== "") console.log(`\n${definition.notes}`);
  const { actors, tokens, steps } = toJson(CaseSchema, definition) as Record<string, unknown>;
  console.log(`\n${stringify({ actors, tokens, steps }, { lineWidth: 140 })}`);
  return 0;
}
