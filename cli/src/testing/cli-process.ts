import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How a command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command line is run. */
export interface RunOptions {
  /** Variables beside PATH; nothing else of this process is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from standard input. Default: nothing. */
  readonly input?: string;
  /** It is the first of a process group of its own, as the one of a terminal's foreground or of a service is. Default: it is in this process's. */
  readonly hasOwnGroup?: boolean;
}

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** The real command, in a process of its own. Ended when disposed. */
export class CliProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Record<"stdout" | "stderr", string[]> = { stdout: [], stderr: [] };
  readonly #waiting = new Set<() => void>();
  readonly #closed: Promise<number | null>;
  #isOver = false;

  constructor(args: readonly string[], { env = {}, input, hasOwnGroup = false }: RunOptions = {}) {
    this.#child = spawn(process.execPath, ["--conditions=@fanfare/source", main, ...args], {
      env: { PATH: process.env.PATH, ...env },
      detached: hasOwnGroup,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    this.#child.stdin?.end(input);
    for (const name of ["stdout", "stderr"] as const) {
      const stream = this.#child[name];
      if (stream !== null) createInterface(stream).on("line", (line) => this.#onLine(name, line));
    }
    this.#closed = once(this.#child, "close").then(([code]) => {
      this.#isOver = true;
      for (const wake of this.#waiting) wake();
      return code as number | null;
    });
  }

  /** The first line that fits, as soon as it has come. Rejects when the command ends without it. */
  async line(stream: "stdout" | "stderr", wanted: RegExp): Promise<string> {
    while (true) {
      const found = this.#lines[stream].find((line) => wanted.test(line));
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`ended without a line ${wanted} on ${stream}:\n${this.#text("stderr")}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** Ids of the processes that it has started and that live, on Linux. */
  async children(): Promise<number[]> {
    const { pid } = this.#child;
    const ids = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    return ids.trim().split(" ").filter(Boolean).map(Number);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal to all processes of its own group at once. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.#child.pid as number), signal);
  }

  /** Its end, however it comes. */
  async ended(): Promise<Ended> {
    const code = await this.#closed;
    return { code, stdout: this.#text("stdout"), stderr: this.#text("stderr") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  #onLine(name: "stdout" | "stderr", line: string): void {
    this.#lines[name].push(line);
    for (const wake of this.#waiting) wake();
  }

  #text(name: "stdout" | "stderr"): string {
    return this.#lines[name].map((line) => `${line}\n`).join("");
  }
}

/** Runs a command line to its end. */
export async function runCli(args: readonly string[], options?: RunOptions): Promise<Ended> {
  await using command = new CliProcess(args, options);
  return await command.ended();
}
