import { type ExitCode, exitCode } from "./exit-code.ts";

/** Ends the command: a sentence that says what is wrong, one that says what to do, and the exit code. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  /** What to do about it; empty where the message says it. */
  readonly remedy: string;

  constructor(code: keyof typeof exitCode, message: string, remedy = "", options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode[code];
    this.remedy = remedy;
  }
}
