import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toJsonString } from "@bufbuild/protobuf";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { nodeConfig, passwordVariable, valkeyPassword } from "./chaos-config.ts";

/** One Fanfare node as a process, which can be killed, stopped, drained and started again at the same address. */
export class FanfareNode implements AsyncDisposable {
  readonly nodeId: string;
  readonly #addresses: readonly string[];
  readonly #isCluster: boolean;
  #port = 0;
  #child: ChildProcess | undefined;
  #text = "";
  /** It is started, and was not told to go. */
  isUp = false;

  constructor(nodeId: string, addresses: readonly string[], isCluster: boolean) {
    this.nodeId = nodeId;
    this.#addresses = addresses;
    this.#isCluster = isCluster;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What it has logged, over all its runs. */
  get text(): string {
    return this.#text;
  }

  /** Starts it and waits until it serves. @throws what it said, if it ended instead */
  async start(): Promise<void> {
    const config = nodeConfig(this.nodeId, this.#addresses, this.#isCluster, this.#port);
    const child = fork(
      fileURLToPath(new URL("node-process.ts", import.meta.url)),
      [toJsonString(ServerConfigSchema, config)],
      {
        execArgv: ["--conditions=@fanfare/source"],
        env: { ...process.env, [passwordVariable]: valkeyPassword },
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      },
    );
    this.#child = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
    const over = once(child, "exit").then(() => {
      throw new Error(`node ${this.nodeId} ended while it started:\n${this.#text}`);
    });
    over.catch(() => {});
    const [{ url }] = (await Promise.race([once(child, "message"), over])) as [{ url: string }];
    this.#port = Number(new URL(url).port);
    this.isUp = true;
  }

  /** Ends it without notice. */
  async kill(): Promise<void> {
    this.isUp = false;
    this.#child?.kill("SIGCONT");
    this.#child?.kill("SIGKILL");
    await this.#ended();
  }

  /** Drains it, as a deployment does, and waits until it has ended. */
  async drain(): Promise<void> {
    this.isUp = false;
    this.#child?.kill("SIGTERM");
    await this.#ended();
  }

  /** The peak begins anew with the memory that the process has resident now, where the system can do that. */
  resetPeakMemory(): void {
    try {
      writeFileSync(`/proc/${this.#child?.pid}/clear_refs`, "5");
    } catch {
      // The peak so far counts.
    }
  }

  /** The most memory that the process has had resident, in MiB; NaN where the system does not tell. */
  peakMemoryMib(): number {
    try {
      const status = readFileSync(`/proc/${this.#child?.pid}/status`, "utf8");
      return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
    } catch {
      return Number.NaN;
    }
  }

  /** What waits on it to be sent to other nodes, in MiB. */
  async linkWaitingMib(): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Math.round((Number(/^fanfare_link_waiting_bytes (\S+)$/m.exec(text)?.[1]) / 2 ** 20) * 10) / 10;
  }

  /** It stands still until `resume`. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
}
