import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { killGroup, startGroup } from "../run/process-group.ts";

/** Past this, what the program wrote is not kept: one report is what is looked for. */
const maxBytes = 1024 * 1024;

/** An adapter that is looked at from outside: its bytes as they come, and its end. */
export class AdapterProbe implements AsyncDisposable {
  output: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  errors = "";
  /** How it ended; undefined while it runs. */
  end: string | undefined;
  readonly #child: ChildProcessWithoutNullStreams;
  #changed = Promise.withResolvers<void>();

  /** @param command as for `--adapter` */
  constructor(command: string) {
    this.#child = startGroup(command);
    this.#child.stdout.on("data", (data: Buffer) => {
      if (this.output.length < maxBytes) this.output = Buffer.concat([this.output, data]);
      this.#notify();
    });
    this.#child.stderr.on("data", (data: Buffer) => {
      this.errors = `${this.errors}${data.toString()}`.slice(-2_000);
    });
    this.#child.stdin.on("error", () => {});
    this.#child.once("error", (error) => this.#ended(`could not be started: ${error.message}`));
    this.#child.once("close", (code, signal) => this.#ended(`ended with ${code ?? signal}`));
  }

  /** Whether something held in time. Looks again whenever the program writes or ends, and gives up when it has ended. */
  async until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + withinMs;
    while (!holds() && this.end === undefined && performance.now() < deadlineMs) {
      const timer = setTimeout(() => this.#notify(), deadlineMs - performance.now());
      await this.#changed.promise;
      clearTimeout(timer);
    }
    return holds();
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.endInput();
    if (await this.until(() => this.end !== undefined, 500)) return;
    killGroup(this.#child.pid);
    await this.until(() => this.end !== undefined, 2_000);
  }

  #ended(how: string): void {
    this.end ??= how;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
