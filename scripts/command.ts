import { spawn } from "node:child_process";
import { atEnd } from "../server/src/testing/at-end.ts";
import { root } from "./packages.ts";

/** A command that exited with something else than 0. */
export class CommandError extends Error {
  /** Everything the command printed, in the order it came. */
  readonly output: string;

  constructor(command: readonly string[], reason: string, output: string) {
    super(`${command.join(" ")}: ${reason}`);
    this.name = "CommandError";
    this.output = output;
  }
}

/** Where and how a command runs. */
export interface CommandOptions {
  /** Working directory; the repository's folder when absent. */
  cwd?: string;
  /** Variables beside those of this process. */
  env?: Record<string, string>;
  /** Print what the command prints as it comes; else it is kept for the error alone. */
  show?: boolean;
}

/**
 * Runs a command to its end and returns what it printed on stdout and stderr together. A signal that ends this process is sent to the command as well.
 *
 * @throws CommandError when it exits with another code than 0, or by a signal.
 */
export async function command(words: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const [file, ...args] = words;
  const child = spawn(file, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const isOver = atEnd((signal) => child.kill(signal ?? "SIGTERM"));
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (options.show === true) process.stdout.write(chunk);
    });
  }
  const reason = await new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? undefined : `exited with ${signal ?? code}`));
  });
  isOver();
  const output = Buffer.concat(chunks).toString();
  if (reason !== undefined) throw new CommandError(words, reason, output);
  return output;
}
