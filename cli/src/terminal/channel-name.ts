import { create } from "@bufbuild/protobuf";
import { ChannelSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { CliError } from "../cli-error.ts";

const violationOf = validatorFor(ChannelSchema);

/** What is wrong with the name of a group or player, in the server's words; undefined if nothing is. */
export function nameProblem(kind: "group" | "player", name: string): string | undefined {
  return violationOf(create(ChannelSchema, { kind: { case: kind, value: name } }))?.message;
}

/** @throws CliError before anything is tried, if a server would refuse one of the names */
export function checkNames(kind: "group" | "player", names: readonly string[] = []): void {
  for (const name of names) {
    const problem = nameProblem(kind, name);
    if (problem !== undefined) throw new CliError("usage", `the ${kind}'s name ${problem}`);
  }
}
