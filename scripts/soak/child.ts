import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A process of a soak test, which ends when the channel to it is closed. */
export class Child<In, Out extends object> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** Starts a file of this folder, and tells `onMessage` what it says. */
  constructor(file: string, args: readonly string[], onMessage: (message: Out) => void) {
    const execArgv = ["--conditions=@fanfare/source"];
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      execArgv,
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child.on("message", (message) => onMessage(message as Out));
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  /** Resolves with the reason when it has ended by itself. */
  async ended(): Promise<string> {
    await this.#exited;
    return `exited with ${this.#child.signalCode ?? this.#child.exitCode}`;
  }

  send(message: In & object): void {
    this.#child.send(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const overdue = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    await this.#exited;
    clearTimeout(overdue);
  }
}
