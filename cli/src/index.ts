export { exitCode } from "./exit-code.ts";
export { runCommandLine } from "./run-command-line.ts";
