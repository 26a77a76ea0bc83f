import { LevelSchema, SubjectSchema } from "@fanfare/proto/conformance/v1alpha";
import type { Command } from "commander";
import { shortEnumName } from "../cases/enum-name.ts";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { profileName } from "../report/summary.ts";
import { selectedDefinitions } from "../run/select-cases.ts";
import { exitCodeHelp, usageExitCode } from "./exit-code.ts";
import { addSelection, noCaseFits, type SelectionOptions, selectionOf } from "./selection-options.ts";

/** `fanfare-conformance list`. */
export function addListCommand(program: Command): void {
  const command = program
    .command("list")
    .summary("name the cases")
    .description("Names the cases, with what they prove.");
  addSelection(command)
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance list
  fanfare-conformance list --profile presence
  fanfare-conformance list --spec FF-ID-010

${exitCodeHelp}`,
    )
    .action((options: SelectionOptions) => {
      process.exitCode = list(options);
    });
}

function list(options: SelectionOptions): number {
  const selected = selectedDefinitions(loadSuites(readRequirements()), selectionOf(options));
  for (const { id, subject, profile: own, level: ownLevel, specs } of selected) {
    const levelName = shortEnumName(LevelSchema, LevelSchema.value[ownLevel]?.name ?? "");
    const subjectName = shortEnumName(SubjectSchema, SubjectSchema.value[subject]?.name ?? "").toLowerCase();
    console.log(
      `${id.padEnd(52)} ${subjectName} ${profileName(own).padEnd(9)} ${levelName.padEnd(6)} ${specs.join(" ")}`,
    );
  }
  if (selected.length > 0) console.log(`${selected.length} ${selected.length === 1 ? "case" : "cases"}`);
  else console.error(noCaseFits);
  return selected.length === 0 ? usageExitCode : 0;
}
