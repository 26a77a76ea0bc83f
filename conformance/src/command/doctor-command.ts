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

/** A check that takes longer than this is said to go on, in milliseconds. It may take up to 20 s. */
const quietMs = 3_000;

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
      const isWell = adapter === undefined ? await checkTarget(target ?? "") : await checkAdapter(adapter);
      const subject = adapter === undefined ? "target" : "adapter";
      console.log(
        isWell ? `The ${subject} can be run against.` : "Repair this first; the checks behind it were not made.",
      );
      process.exitCode = isWell ? 0 : 1;
    });
}

async function checkAdapter(command: string): Promise<boolean> {
  console.log(`      starting ${command}; it has 20 s to report that it is ready`);
  return await tell(diagnoseAdapter(command));
}

async function checkTarget(file: string): Promise<boolean> {
  const loaded = readTarget(file);
  console.log(`ok    ${file} can be read`);
  const isStarted = loaded.target.addresses.length === 0;
  if (isStarted) console.log("      starting the disposable server; it has 30 s to say where it serves");
  await using environment = await openEnvironment(loaded);
  if (isStarted) console.log("ok    the disposable server starts and says where it serves");
  return await tell(diagnoseServer(environment));
}

async function tell(findings: AsyncIterable<Finding>): Promise<boolean> {
  let isWell = true;
  let toldAtMs = performance.now();
  const waiting = setInterval(() => {
    console.log(`      the next check has taken ${((performance.now() - toldAtMs) / 1000).toFixed(0)} s so far`);
  }, quietMs);
  try {
    for await (const { name, problem, remedy } of findings) {
      console.log(problem === undefined ? `ok    ${name}` : `WRONG ${name}\n      ${problem}\n      ${remedy}`);
      isWell &&= problem === undefined;
      toldAtMs = performance.now();
      waiting.refresh();
    }
    return isWell;
  } finally {
    clearInterval(waiting);
  }
}
