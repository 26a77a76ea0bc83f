import type { Command } from "commander";
import { diagnoseServer } from "../doctor/diagnose-server.ts";
import { openEnvironment, readTarget } from "../target/target-file.ts";
import { exitCodeHelp } from "./exit-code.ts";

/** `fanfare-conformance doctor`. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .summary("check step by step whether a target can be run against")
    .description("Checks a target step by step, stops at the first thing that is wrong, and says what to do about it.")
    .requiredOption("-t, --target <file>", "what the server is: a target.yaml")
    .addHelpText("after", `\nExample:\n  fanfare-conformance doctor --target target.yaml\n\n${exitCodeHelp}`)
    .action(async ({ target }: { readonly target: string }) => {
      const loaded = readTarget(target);
      console.log(`ok    ${target} can be read`);
      await using environment = await openEnvironment(loaded);
      if (loaded.target.addresses.length === 0)
        console.log("ok    the disposable server starts and says where it serves");
      let isWell = true;
      for await (const { name, problem, remedy } of diagnoseServer(environment)) {
        console.log(problem === undefined ? `ok    ${name}` : `WRONG ${name}\n      ${problem}\n      ${remedy}`);
        isWell &&= problem === undefined;
      }
      console.log(isWell ? "The target can be run against." : "Repair this first; the checks behind it were not made.");
      process.exitCode = isWell ? 0 : 1;
    });
}
