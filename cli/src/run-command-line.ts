import { CommanderError } from "commander";
import { CliError } from "./cli-error.ts";
import { exitCode } from "./exit-code.ts";
import { createProgram, withoutHelpCommand } from "./program.ts";

/**
 * Runs one command line to its end and returns the exit code. Errors are told on standard error, in a sentence that says what to do.
 * @param args without the names of Node.js and the script
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // Whoever reads the output may stop early, as `head` does; that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    const plain = withoutHelpCommand(args);
    const program = await createProgram(plain);
    await program.parseAsync(plain, { from: "user" });
    return exitCode.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    if (!(error instanceof CliError)) {
      console.error(error);
      return exitCode.failed;
    }
    console.error(`fanfare: ${error.message}${error.remedy === "" ? "" : `\n  ${error.remedy}`}`);
    return error.exitCode;
  }
}
