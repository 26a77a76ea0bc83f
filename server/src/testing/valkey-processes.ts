import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { missing } from "../../../test/require-tool.ts";
import { atEnd } from "./at-end.ts";

const run = promisify(execFile);

/** One `valkey-server`, killed with whoever started it. */
export class ValkeyProcess {
  /** Those that run, and those that are not disposed of. */
  static readonly #living = new Set<ChildProcess>();
  static readonly #folders = new Set<string>();

  /** Neither a server nor what it has written outlives a process that ends before it could dispose of it. */
  static #end(): void {
    for (const child of ValkeyProcess.#living) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
    for (const folder of ValkeyProcess.#folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly port: number;
  readonly folder: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port;
    this.folder = folder;
    this.#args = args;
  }

  /** Starts a server on a free port of loopback, with nothing written to disk. */
  static async start(args: readonly string[] = []): Promise<ValkeyProcess> {
    const [port = 0, busPort = 0] = await freePorts(2);
    if (ValkeyProcess.#folders.size === 0) atEnd(ValkeyProcess.#end);
    const folder = await mkdtemp(join(tmpdir(), "fanfare-valkey-"));
    ValkeyProcess.#folders.add(folder);
    const isCluster = args.includes("--cluster-enabled");
    const own = ["--port", `${port}`, "--dir", folder, ...(isCluster ? ["--cluster-port", `${busPort}`] : [])];
    const started = new ValkeyProcess(port, folder, [...fixedArgs, ...own, ...args]);
    try {
      await started.restart();
      return started;
    } catch (reason) {
      await started[Symbol.asyncDispose]();
      throw reason;
    }
  }

  get address(): { host: string; port: number } {
    return { host: "127.0.0.1", port: this.port };
  }

  /** Starts it again after `kill`, with the same arguments, and no data unless they make it keep some. @throws what to install, if it is missing */
  async restart(): Promise<void> {
    const child = spawn(process.env.FANFARE_VALKEY_SERVER ?? "valkey-server", this.#args, { stdio: "ignore" });
    this.#child = child;
    ValkeyProcess.#living.add(child);
    child.once("exit", () => ValkeyProcess.#living.delete(child));
    const exited = once(child, "exit").then(
      () => {
        throw new Error(`valkey-server on port ${this.port} exited while it started`);
      },
      (cause: NodeJS.ErrnoException) => {
        ValkeyProcess.#living.delete(child);
        this.#child = undefined;
        throw cause.code === "ENOENT" ? new Error(missing("valkey-server"), { cause }) : cause;
      },
    );
    exited.catch(() => {});
    await Promise.race([exited, until(async () => (await this.command("PING")) === "PONG")]);
  }

  /** Ends the process without notice. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await exited;
  }

  /** Stands still until `resume`: its connections stay open and nothing is answered. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Asks by the command line client. @returns its output as text; errors of Valkey are texts too */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await run("valkey-cli", ["-p", `${this.port}`, ...args], { timeout: 2_000 });
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    ValkeyProcess.#folders.delete(this.folder);
  }
}

const fixedArgs = [
  ...["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"],
  ...["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--loglevel", "warning"],
];

/** Servers that belong together. */
export class ValkeyServers {
  readonly processes: ValkeyProcess[];
  readonly isCluster: boolean;

  constructor(processes: ValkeyProcess[], isCluster: boolean) {
    this.processes = processes;
    this.isCluster = isCluster;
  }

  get addresses(): { host: string; port: number }[] {
    return this.processes.map(({ address }) => address);
  }

  /** The process that serves a key as primary. */
  async primaryOf(key: string): Promise<ValkeyProcess> {
    if (!this.isCluster) return this.processes[0] as ValkeyProcess;
    const slot = Number(await this.#anyLive((process) => process.command("CLUSTER", "KEYSLOT", key)));
    const rows = (await this.#anyLive((process) => process.command("CLUSTER", "NODES"))).split("\n");
    const row = rows.find((one) => {
      const [, , flags = "", , , , , ...ranges] = one.split(" ");
      if (!flags.includes("master") || flags.includes("fail")) return false;
      return ranges.some((range) => {
        const [first, last = first] = range.split("-").map(Number);
        return first !== undefined && last !== undefined && first <= slot && slot <= last;
      });
    });
    const port = Number(/:(\d+)@/.exec(row ?? "")?.[1]);
    const found = this.processes.find((process) => process.port === port);
    if (found === undefined) throw new Error(`no primary serves ${key}`);
    return found;
  }

  /** The replicas of a primary that take part in replication and have acknowledged something: a new one does so a second after its sync. */
  async replicasOf(primary: ValkeyProcess): Promise<ValkeyProcess[]> {
    const info = await primary.command("INFO", "replication");
    const ports = [...info.matchAll(/slave\d+:ip=[^,]+,port=(\d+),state=online,offset=[1-9]/g)].map((match) =>
      Number(match[1]),
    );
    return this.processes.filter(({ port }) => ports.includes(port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map((process) => process[Symbol.asyncDispose]()));
  }

  async #anyLive<Result>(ask: (process: ValkeyProcess) => Promise<Result>): Promise<Result> {
    let last: unknown;
    for (const process of this.processes) {
      try {
        return await ask(process);
      } catch (reason) {
        last = reason;
      }
    }
    throw last;
  }
}

/** One primary with replicas that are in sync. The arguments are the primary's. */
export async function startStandalone(replicas = 0, args: readonly string[] = []): Promise<ValkeyServers> {
  const primary = await ValkeyProcess.start(args);
  const servers = new ValkeyServers([primary], false);
  try {
    for (let i = 0; i < replicas; i++) {
      servers.processes.push(await ValkeyProcess.start(["--replicaof", `127.0.0.1 ${primary.port}`]));
    }
    await until(async () => (await servers.replicasOf(primary)).length === replicas);
    return servers;
  } catch (reason) {
    await servers[Symbol.asyncDispose]();
    throw reason;
  }
}

/** Arguments of a node of a cluster that notices the death of another within 2 s. */
const clusterArgs = [
  "--cluster-enabled",
  "yes",
  "--cluster-node-timeout",
  "2000",
  "--cluster-replica-validity-factor",
  "0",
];

/** A cluster of three primaries with a replica each, all in sync, started with these arguments besides its own. */
export async function startCluster(args: readonly string[] = []): Promise<ValkeyServers> {
  const starting = Array.from({ length: 6 }, () => ValkeyProcess.start([...clusterArgs, ...args]));
  const started = await Promise.allSettled(starting);
  const processes = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const servers = new ValkeyServers(processes, true);
  try {
    await Promise.all(starting);
    const nodes = processes.map(({ port }) => `127.0.0.1:${port}`);
    await run("valkey-cli", ["--cluster", "create", ...nodes, "--cluster-replicas", "1", "--cluster-yes"]);
    await untilSettled(servers);
    return servers;
  } catch (reason) {
    await servers[Symbol.asyncDispose]();
    throw reason;
  }
}

/** One more node, without slots and without functions, that the cluster knows. */
export async function addNode(servers: ValkeyServers): Promise<ValkeyProcess> {
  const added = await ValkeyProcess.start(clusterArgs);
  servers.processes.push(added);
  await (servers.processes[0] as ValkeyProcess).command(
    "CLUSTER",
    "MEET",
    "127.0.0.1",
    `${added.port}`,
    await busPortOf(added),
  );
  await until(async () => /cluster_known_nodes:7/.test(await added.command("CLUSTER", "INFO")));
  await until(async () => /cluster_state:ok/.test(await added.command("CLUSTER", "INFO")));
  return added;
}

/** Waits until every node sees all slots served and all replicas of all primaries, and these have them in sync. */
export async function untilSettled(servers: ValkeyServers, replicasOfEach = 1): Promise<void> {
  await until(async () => {
    let primaries = 0;
    const listed: number[] = [];
    for (const process of servers.processes) {
      if (!/cluster_state:ok/.test(await process.command("CLUSTER", "INFO"))) return false;
      const info = await process.command("INFO", "replication");
      const online = info.match(/state=online,offset=[1-9]/g)?.length ?? 0;
      if (/role:master/.test(info)) {
        primaries++;
        if (online < replicasOfEach) return false;
      } else if (!/master_link_status:up/.test(info)) return false;
      // What clients go by: it leaves out a replica until it has said over the cluster's bus how far it has come.
      const slots = await process.command("CLUSTER", "SLOTS");
      listed.push(new Set(slots.match(/\b[0-9a-f]{40}\b/g)).size);
    }
    return listed.every((nodes) => nodes >= primaries * (1 + replicasOfEach));
  });
}

/**
 * Has a replica take over from its primary in an orderly way, and returns it. Valkey gives up after 5 s, for instance because the others have voted about
 * this primary within twice the node timeout; so it is told again, as an operator would.
 */
export async function failOver(servers: ValkeyServers, primary: ValkeyProcess): Promise<ValkeyProcess> {
  await until(async () => (await servers.replicasOf(primary)).length > 0);
  const [replica] = (await servers.replicasOf(primary)) as [ValkeyProcess];
  const hasTakenOver = async () => (await replica.command("ROLE")).startsWith("master");
  for (let tries = 0; tries < 4; tries++) {
    await replica.command("CLUSTER", "FAILOVER");
    if (
      await until(hasTakenOver, 6_000).then(
        () => true,
        () => false,
      )
    )
      return replica;
  }
  throw new Error("the replica has not taken over, although it was told to four times");
}

/**
 * Moves a key's slot, as an operator does: announces it, moves the keys, settles it.
 * @param meanwhile runs when all keys have moved and the slot has not
 */
export async function moveSlot(
  servers: ValkeyServers,
  key: string,
  source: ValkeyProcess,
  target: ValkeyProcess,
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  const slot = await source.command("CLUSTER", "KEYSLOT", key);
  const [sourceId, targetId] = await Promise.all([source, target].map((process) => process.command("CLUSTER", "MYID")));
  await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId as string);
  await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId as string);
  const keys = (await source.command("CLUSTER", "GETKEYSINSLOT", slot, "1000")).split("\n").filter((one) => one !== "");
  for (const one of keys) await source.command("MIGRATE", "127.0.0.1", `${target.port}`, one, "0", "5000");
  await meanwhile();
  for (const process of [target, source]) {
    await process.command("CLUSTER", "SETSLOT", slot, "NODE", targetId as string);
  }
  await until(async () => (await servers.primaryOf(key)) === target);
}

async function busPortOf(process: ValkeyProcess): Promise<string> {
  return /@(\d+)/.exec(await process.command("CLUSTER", "NODES"))?.[1] ?? "";
}

/** Asks until the answer is yes. A question that fails is a no. @throws after 20 s, with the last reason why it failed */
export async function until(question: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  const ask = async () => {
    try {
      cause = undefined;
      return await question();
    } catch (reason) {
      cause = reason;
      return false;
    }
  };
  while (!(await ask())) {
    const because = cause === undefined ? "" : `, at last because: ${cause instanceof Error ? cause.message : cause}`;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${question}${because}`, { cause });
    await delay(20);
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
