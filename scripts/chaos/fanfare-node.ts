import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toJsonString } from "@bufbuild/protobuf";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { atEnd } from "../../server/src/testing/at-end.ts";
import { drainDeadlineMs, nodeConfig, passwordVariable, valkeyPassword } from "./chaos-config.ts";

/** How a node differs from those of a run, in tests. */
export interface FanfareNodeOptions {
  /** What is run instead of a node. */
  readonly program?: string;
  /** How long it may take to drain, in milliseconds. Default: its deadline, and 5 s in which to end. */
  readonly drainMs?: number;
}

/** How many lines of its log are told of a node that ended unexpectedly. */
const lastLines = 5;

/** One Fanfare node as a process, which can be killed, stopped, drained and started again at the same address. */
export class FanfareNode implements AsyncDisposable {
  static readonly #living = new Set<ChildProcess>();
  static {
    // One that stands still would outlive this process: it does not see that the channel to it is closed.
    atEnd(() => {
      for (const child of FanfareNode.#living) child.kill("SIGKILL");
    });
  }

  readonly nodeId: string;
  /** Each time it ended without having been told to, or otherwise than it was told to: a sentence, and the last of its log. */
  readonly unexpectedEnds: string[] = [];
  readonly #program: string;
  readonly #drainMs: number;
  readonly #addresses: readonly string[];
  readonly #isCluster: boolean;
  #port = 0;
  #child: ChildProcess | undefined;
  #closed: Promise<void> = Promise.resolve();
  #text = "";
  /** It is started, and was not told to go. */
  isUp = false;

  constructor(nodeId: string, addresses: readonly string[], isCluster: boolean, options: FanfareNodeOptions = {}) {
    this.nodeId = nodeId;
    this.#program = options.program ?? fileURLToPath(new URL("node-process.ts", import.meta.url));
    this.#drainMs = options.drainMs ?? drainDeadlineMs + 5_000;
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
    const child = fork(this.#program, [toJsonString(ServerConfigSchema, config)], {
      execArgv: ["--conditions=@fanfare/source"],
      env: { ...process.env, [passwordVariable]: valkeyPassword },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    FanfareNode.#living.add(child);
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
    child.once("exit", () => FanfareNode.#living.delete(child));
    // Then all that it has said is here.
    this.#closed = once(child, "close").then(() => {
      if (this.isUp && this.#child === child) this.#noteEnd("ended by itself");
      if (this.#child === child) this.isUp = false;
    });
    const over = this.#closed.then(() => {
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
    await this.#closed;
  }

  /** Drains it, as a deployment does, and waits until it has ended; one that does not in time is killed. */
  async drain(): Promise<void> {
    if (!this.isUp) return;
    this.isUp = false;
    const child = this.#child;
    child?.kill("SIGTERM");
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      child?.kill("SIGKILL");
    }, this.#drainMs);
    await this.#closed;
    clearTimeout(deadline);
    if (isLate) this.#noteEnd(`was drained, had not ended after ${this.#drainMs} ms and was killed`);
    else if (child?.exitCode !== 0) this.#noteEnd("was drained and ended");
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

  #noteEnd(what: string): void {
    const { exitCode, signalCode } = this.#child ?? {};
    const last = this.#text.trimEnd().split("\n").slice(-lastLines).join("\n");
    this.unexpectedEnds.push(`node ${this.nodeId} ${what}, with ${signalCode ?? exitCode}:\n${last}`);
  }
}
