import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { pinnedCommand } from "../measure/pinning.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import type { CpuReading, FromContender, ProfileReading, Ready, ToContender } from "./messages.ts";

/** A contender's server in a process of its own, pinned to a core, as the load process sees it. */
export class ContenderProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(`exited with ${signal ?? code}`));
      child.once("error", (error) => resolve(error.message));
    });
  }

  /** Starts `src/contenders/<file>` with the Node and the flags of this process, and waits until it listens. */
  static async start(file: string, scenario: Scenario, core: number): Promise<[ContenderProcess, Ready]> {
    const script = fileURLToPath(new URL(file, import.meta.url));
    const [command, ...rest] = pinnedCommand(core, [
      process.execPath,
      ...process.execArgv,
      script,
      JSON.stringify(scenario),
    ]);
    // What a contender prints goes to stderr, because stdout is the report's.
    const contender = new ContenderProcess(spawn(command, rest, { stdio: ["ignore", 2, 2, "ipc"] }));
    return [contender, await contender.#next("ready")];
  }

  cpu(): Promise<CpuReading> {
    return this.#ask("cpu", "cpu");
  }

  startProfile(): void {
    this.#send({ kind: "startProfile" });
  }

  stopProfile(): Promise<ProfileReading> {
    return this.#ask("stopProfile", "profile");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#send({ kind: "stop" });
    const overdue = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(overdue);
  }

  #ask<Kind extends FromContender["kind"]>(
    kind: ToContender["kind"],
    answer: Kind,
  ): Promise<Extract<FromContender, { kind: Kind }>> {
    const next = this.#next(answer);
    this.#send({ kind });
    return next;
  }

  #send(message: ToContender): void {
    this.#child.send(message);
  }

  #next<Kind extends FromContender["kind"]>(kind: Kind): Promise<Extract<FromContender, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown): void => {
        const answer = message as FromContender;
        if (answer.kind !== kind) return;
        this.#child.off("message", onMessage);
        resolve(answer as Extract<FromContender, { kind: Kind }>);
      };
      this.#child.on("message", onMessage);
      void this.#exited.then((how) => reject(new Error(`the contender's process ${how} before it answered`)));
    });
  }
}
