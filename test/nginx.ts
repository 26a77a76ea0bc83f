import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts } from "../server/src/testing/valkey-processes.ts";

const template = new URL("../deploy/nginx.conf", import.meta.url);

/** nginx with the configuration of `deploy/`, in front of nodes of a test. */
export class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /**
   * Starts it and waits until it accepts connections.
   * @param path of the program
   * @param nodes `http://host:port` of each
   */
  static async start(path: string, nodes: readonly string[]): Promise<Nginx> {
    const [port = 0] = await freePorts(1);
    const folder = await mkdtemp(join(tmpdir(), "fanfare-nginx-"));
    const text = await readFile(template, "utf8");
    const options = /server 127\.0\.0\.1:8081([^\n]*)/.exec(text)?.[1];
    const servers = nodes.map((url) => `server ${new URL(url).host}${options}`).join("\n    ");
    const config = text
      .replace(/server 127\.0\.0\.1:8081[^\n]*\n\s*server 127\.0\.0\.1:8082[^\n]*/, servers)
      .replace("worker_processes auto;", "worker_processes 1;") // each goes round by itself, and learns by itself who is away
      .replace(/worker_rlimit_nofile[^\n]*/, "") // needs a right that not every user has
      .replace("listen 127.0.0.1:8080;", `listen 127.0.0.1:${port};`);
    if (!config.includes(`listen 127.0.0.1:${port};`) || !config.includes(servers)) {
      throw new Error("deploy/nginx.conf has other addresses than this test replaces");
    }
    await writeFile(join(folder, "nginx.conf"), `daemon off;\npid ${folder}/pid;\nerror_log stderr crit;\n${config}`);
    const child = spawn(path, ["-p", folder, "-c", "nginx.conf"], { stdio: ["ignore", "ignore", "inherit"] });
    const started = new Nginx(`http://127.0.0.1:${port}`, child, folder);
    for (;;) {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
      const answer = await fetch(started.url).catch(() => undefined);
      if (answer?.status === 404) return started;
      await pause(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGQUIT");
    const overdue = setTimeout(() => this.#child.kill("SIGTERM"), 500);
    await exited;
    clearTimeout(overdue);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
