import { type Level, LevelSchema, type Profile, ProfileSchema } from "@fanfare/proto/conformance/v1alpha";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { enumValueName, shortEnumNames } from "../cases/enum-name.ts";
import type { Form } from "../run/frame-form.ts";
import type { Selection } from "../run/select-cases.ts";

/** What is said when filters name nothing. */
export const noCaseFits = "no case fits the filters";

/** What the filters of a command line hold. */
export interface SelectionOptions {
  readonly case?: string[];
  readonly spec?: string[];
  readonly profile?: Profile[];
  readonly level?: Level;
  readonly form?: Form;
}

/** Adds the filters of cases to a command. */
export function addSelection(command: Command): Command {
  return command
    .option("-c, --case <id...>", "only these cases, or those whose ids begin so: core/handshake")
    .option("-s, --spec <id...>", "only cases that prove one of these requirements: FF-HB-003")
    .option("-p, --profile <name...>", "only these profiles: core, groups, …", collectProfile)
    .option("-l, --level <name>", "leave out what is less binding: must, should, may", parseLevel)
    .option("-f, --form <name>", "only this form of frames: binary, json", parseForm);
}

/** The cases that the filters name. */
export function selectionOf(options: SelectionOptions): Selection {
  return {
    ...(options.case && { cases: options.case }),
    ...(options.spec && { specs: options.spec }),
    ...(options.profile && { profiles: options.profile }),
    ...(options.level !== undefined && { level: options.level }),
    ...(options.form && { forms: [options.form] }),
  };
}

function collectProfile(name: string, before: Profile[] | undefined): Profile[] {
  const found = ProfileSchema.values.find((one) => one.name === enumValueName(ProfileSchema, name));
  if (found === undefined) {
    throw new InvalidArgumentError(`Profiles are ${shortEnumNames(ProfileSchema).join(", ").toLowerCase()}.`);
  }
  return [...(before ?? []), found.number];
}

function parseLevel(name: string): Level {
  const found = LevelSchema.values.find((one) => one.name === enumValueName(LevelSchema, name));
  if (found === undefined) throw new InvalidArgumentError("Levels are must, should, may.");
  return found.number;
}

function parseForm(name: string): Form {
  if (name !== "binary" && name !== "json") throw new InvalidArgumentError("Forms are binary and json.");
  return name;
}
