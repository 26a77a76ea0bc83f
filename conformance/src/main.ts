import { CommanderError } from "commander";
import { FileError } from "./cases/yaml-source.ts";
import { usageExitCode } from "./command/exit-code.ts";
import { createProgram } from "./command/program.ts";
import { HarnessError } from "./run/failure.ts";
import { endGroupsWithThisProcess } from "./run/process-group.ts";

endGroupsWithThisProcess();
// Whoever reads the output may stop early, as `head` does; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usageExitCode;
  else if (error instanceof FileError) {
    console.error(error.message);
    process.exitCode = usageExitCode;
  } else if (error instanceof HarnessError) {
    console.error(error.message);
    process.exitCode = 3;
  } else throw error;
}
