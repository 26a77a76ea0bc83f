import { LevelSchema, type Profile, SubjectSchema } from "@fanfare/proto/conformance/v1alpha";
import type { Command } from "commander";
import { shortEnumName } from "../cases/enum-name.ts";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { profileName } from "../report/summary.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { addSelection, type SelectionOptions } from "./selection-options.ts";

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
    .action((options: SelectionOptions) => list(options));
}

function list({ case: cases, spec, profile, level }: SelectionOptions): void {
  const fits = ({
    id,
    specs,
    profile: own,
    level: ownLevel,
  }: {
    id: string;
    specs: string[];
    profile: Profile;
    level: number;
  }) =>
    (cases === undefined || cases.some((name) => id === name || id.startsWith(`${name}/`))) &&
    (spec === undefined || spec.some((one) => specs.includes(one))) &&
    (profile === undefined || profile.includes(own)) &&
    (level === undefined || ownLevel <= level);
  const all = loadSuites(readRequirements()).map(({ definition }) => definition);
  const selected = all.filter(fits).sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id, subject, profile: own, level: ownLevel, specs } of selected) {
    const levelName = shortEnumName(LevelSchema, LevelSchema.value[ownLevel]?.name ?? "");
    const subjectName = shortEnumName(SubjectSchema, SubjectSchema.value[subject]?.name ?? "").toLowerCase();
    console.log(
      `${id.padEnd(52)} ${subjectName} ${profileName(own).padEnd(9)} ${levelName.padEnd(6)} ${specs.join(" ")}`,
    );
  }
  console.log(`${selected.length} cases`);
}
