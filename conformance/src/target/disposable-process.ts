import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { HarnessError } from "../run/failure.ts";
import { ControlClient } from "./control-client.ts";
import type { DisposableServer } from "./environment.ts";

/** How a disposable server is started. */
export interface DisposableOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Folder to run it in. */
  readonly cwd: string;
  readonly keyOf: (app: string) => string;
  /** How long it may take to serve, in milliseconds. */
  readonly startMs: number;
}

/** How long it may take to end by itself, in milliseconds, before it is killed. */
const endMs = 3_000;

/** Starts a server for one case; see Target.disposable for what it prints and reads. */
export async function startDisposable(options: DisposableOptions): Promise<DisposableServer> {
  const [program = "", ...args] = options.command;
  const child = spawn(program, args, { cwd: options.cwd, stdio: "pipe" });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => {
    errors = `${errors}${data.toString()}`.slice(-4_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", (error) => {
      errors += error.message;
      resolve();
    });
  });
  try {
    const line = await firstLine(child, ended, options.startMs);
    return handle(child, ended, JSON.parse(line) as ServingLine, options.keyOf);
  } catch (cause) {
    await end(child, ended);
    throw new HarnessError(`${options.command.join(" ")} did not serve: ${String(cause)} ${errors}`.trim(), { cause });
  }
}

interface ServingLine {
  readonly addresses: readonly string[];
  readonly controlUrl?: string;
}

function handle(
  child: ChildProcessWithoutNullStreams,
  ended: Promise<void>,
  { addresses, controlUrl }: ServingLine,
  keyOf: (app: string) => string,
): DisposableServer {
  return {
    addresses,
    control: controlUrl === undefined ? undefined : new ControlClient(controlUrl, keyOf),
    move: (request) => void child.stdin.write(`${JSON.stringify({ move: request })}\n`),
    [Symbol.asyncDispose]: () => end(child, ended),
  };
}

async function firstLine(
  child: ChildProcessWithoutNullStreams,
  ended: Promise<void>,
  startMs: number,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lines = createInterface({ input: child.stdout });
  lines.once("line", resolve);
  void ended.then(() => reject(new Error("it ended")));
  const timer = setTimeout(() => reject(new Error(`it printed nothing in ${startMs} ms`)), startMs);
  return promise.finally(() => clearTimeout(timer));
}

async function end(child: ChildProcessWithoutNullStreams, ended: Promise<void>): Promise<void> {
  child.stdin.on("error", () => {});
  child.stdin.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), endMs);
  await ended;
  clearTimeout(timer);
}
