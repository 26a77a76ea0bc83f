import type { Command } from "commander";
import { diagnoseAdapter } from "../doctor/diagnose-adapter.ts";
import { diagnoseServer } from "../doctor/diagnose-server.ts";
import type { Finding } from "../doctor/finding.ts";
import { openEnvironment, readTarget } from "../target/target-file.ts";
import { exitCodeHelp, usageExitCode } from "./exit-code.ts";

interface Options {
  readonly target?: string;
  readonly adapter?: string;
}

/** `fanfare-conformance doctor`. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .summary("check step by step whether a server or a client can be run against")
    .description(
      "Checks a target, or a client's adapter, step by step, stops at the first thing that is wrong, and says what to do about it.",
    )
    .option("-t, --target <file>", "what the server is: a target.yaml")
    .option("-a, --adapter <command>", "the shell command that starts the client's adapter")
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance doctor --target target.yaml
  fanfare-conformance doctor --adapter ./my-adapter

${exitCodeHelp}`,
    )
    .action(async ({ target, adapter }: Options, command: Command) => {
      if ((target === undefined) === (adapter === undefined)) {
        command.error("error: doctor takes either --target or --adapter", { exitCode: usageExitCode });
      }
      const isWell = adapter === undefined ? await checkTarget(target ?? "") : await tell(diagnoseAdapter(adapter));
      const subject = adapter === undefined ? "target" : "adapter";
      console.log(
        isWell ? `The ${subject} can be run against.` : "Repair this first; the checks behind it were not made.",
      );
      process.exitCode = isWell ? 0 : 1;
    });
}

async function checkTarget(file: string): Promise<boolean> {
  const loaded = readTarget(file);
  console.log(`ok    ${file} can be read`);
  await using environment = await openEnvironment(loaded);
  if (loaded.target.addresses.length === 0) console.log("ok    the disposable server starts and says where it serves");
  return await tell(diagnoseServer(environment));
}

async function tell(findings: AsyncIterable<Finding>): Promise<boolean> {
  let isWell = true;
  for await (const { name, problem, remedy } of findings) {
    console.log(problem === undefined ? `ok    ${name}` : `WRONG ${name}\n      ${problem}\n      ${remedy}`);
    isWell &&= problem === undefined;
  }
  return isWell;
}
