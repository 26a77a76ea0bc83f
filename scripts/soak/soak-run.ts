import { type Client, FanfareError, text } from "@fanfare/sdk-core";
import { connect } from "@fanfare/sdk-node";
import { mintToken } from "@fanfare/sdk-node/token";
import { Child } from "./child.ts";
import type { Faults } from "./ledger.ts";
import type { ClientsFigures, ClientsTask, FromClients, Ready, ToClients } from "./messages.ts";
import type { SoakOptions } from "./options.ts";

/** What came of a soak test. */
export interface SoakReport extends ClientsFigures, Faults {
  readonly clients: number;
  readonly seconds: number;
  readonly published: number;
  /** Publishes that were not stored, each a sentence; the first ten. */
  readonly failedPublishes: readonly string[];
  /** What the clients have to receive, all together. */
  readonly expected: number;
  readonly reconnectP50Ms: number;
  readonly reconnectP99Ms: number;
}

/** Whether every message came once and in order, to clients that were cut off and came back with their sessions. */
export function isRight({ lost, doubled, outOfOrder, failedPublishes, expected, cuts, resumes }: SoakReport): boolean {
  return lost + doubled + outOfOrder + failedPublishes.length === 0 && expected > 0 && cuts > 0 && resumes > 0;
}

/** How long clients may take to have everything when publishing is over, in milliseconds. */
const patienceMs = 30_000;
type Clients = Child<ToClients, FromClients>;

/** Runs a soak test against a server of its own. `progress` is told a line now and then. */
export async function runSoak(options: SoakOptions, progress: (line: string) => void): Promise<SoakReport> {
  await using stack = new AsyncDisposableStack();
  const server = Promise.withResolvers<Ready>();
  const serverProcess = stack.use(
    new Child<never, Ready>("server-process.ts", options.valkey ? ["--valkey"] : [], server.resolve),
  );
  failWith(serverProcess.ended(), "the server", server.reject);
  const ready = await server.promise;
  const fleet = new Fleet(options, ready, stack, progress);
  await fleet.ready();
  progress(`${options.clients} clients are connected`);
  const { token } = await mintToken({ app: "dev", player: "publisher", key: ready.tokenSecret, keyId: "dev" });
  const client = await connect({ url: ready.url, getToken: () => token, publishTimeoutMs: 60_000 });
  stack.defer(() => client.close());
  fleet.cut();
  const { published, failures } = await publish(client, options);
  progress("everything is published");
  return await fleet.finish(published, failures);
}

/** The processes of clients. */
class Fleet {
  readonly #options: SoakOptions;
  readonly #processes: Clients[] = [];
  readonly #ready: PromiseWithResolvers<void>[] = [];
  readonly #reports: PromiseWithResolvers<FromClients & { kind: "report" }>[] = [];
  readonly #figures: ClientsFigures[] = [];

  constructor(options: SoakOptions, ready: Ready, stack: AsyncDisposableStack, progress: (line: string) => void) {
    this.#options = options;
    const { clients, processes, groups, groupsPerClient, cutAfterMs } = options;
    for (let i = 0; i < processes; i++) {
      const first = Math.floor((clients * i) / processes);
      const count = Math.floor((clients * (i + 1)) / processes) - first;
      const task: ClientsTask = { ...ready, first, count, groups, groupsPerClient, cutAfterMs };
      const started = Promise.withResolvers<void>();
      const report = Promise.withResolvers<FromClients & { kind: "report" }>();
      const child: Clients = new Child("clients-process.ts", [JSON.stringify(task)], (message: FromClients) => {
        if (message.kind === "ready") return started.resolve();
        this.#figures[i] = message.figures;
        if (message.kind === "report") report.resolve(message);
        else if (i === 0) progress(lineOf(addUp(this.#figures.filter((one) => one !== undefined))));
      });
      failWith(child.ended(), "a process of clients", (error) => {
        started.reject(error);
        report.reject(error);
      });
      report.promise.catch(() => {}); // told by whoever waits for it
      this.#processes.push(stack.use(child));
      this.#ready.push(started);
      this.#reports.push(report);
    }
  }

  async ready(): Promise<void> {
    await Promise.all(this.#ready.map(({ promise }) => promise));
  }

  cut(): void {
    for (const child of this.#processes) child.send({ kind: "cut" });
  }

  async finish(published: readonly number[], failures: readonly string[]): Promise<SoakReport> {
    for (const child of this.#processes) child.send({ kind: "finish", published, patienceMs });
    const reports = await Promise.all(this.#reports.map(({ promise }) => promise));
    const { clients, seconds, groups, groupsPerClient } = this.#options;
    let expected = 0;
    for (let number = 0; number < clients; number++) {
      for (let i = 0; i < groupsPerClient; i++) expected += published[(number + i) % groups] ?? 0;
    }
    const reconnectMs = reports.flatMap((report) => report.reconnectMs).sort((a, b) => a - b);
    const quantile = (part: number) =>
      reconnectMs[Math.min(reconnectMs.length - 1, Math.floor(reconnectMs.length * part))] ?? 0;
    return {
      clients,
      seconds,
      published: published.reduce((sum, count) => sum + count, 0),
      failedPublishes: failures.slice(0, 10),
      expected,
      ...addUp(reports.map(({ figures }) => figures)),
      ...addUp(reports.map(({ faults }) => faults)),
      reconnectP50Ms: quantile(0.5),
      reconnectP99Ms: quantile(0.99),
    };
  }
}

/** Publishes numbered messages to the groups in turn; resolves when each is answered. */
async function publish(client: Client, { seconds, messagesPerSecond, groups }: SoakOptions) {
  const published = new Array<number>(groups).fill(0);
  const failures: string[] = [];
  const answers: Promise<unknown>[] = [];
  const startedAt = performance.now();
  const total = seconds * messagesPerSecond;
  for (let count = 0; count < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * messagesPerSecond));
    for (; count < due; count++) {
      const group = count % groups;
      const number = (published[group] ?? 0) + 1;
      published[group] = number;
      const answer = client.to({ group: `soak:${group}` }).publish(text(), `${number}`);
      answers.push(answer.catch((reason: unknown) => failures.push(FanfareError.from(reason).message)));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(answers);
  return { published, failures };
}

function addUp<T extends { [K in keyof T]: number }>(parts: readonly T[]): T {
  const sum: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries<number>(part)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum as T;
}

function lineOf({ received, cuts, reconnects, resumes, gaps }: ClientsFigures): string {
  return `${received} received, ${cuts} cuts, ${reconnects} reconnects, ${resumes} resumed, ${gaps} gaps`;
}

function failWith(ended: Promise<string>, what: string, reject: (error: Error) => void): void {
  void ended.then((reason) => reject(new Error(`${what} ${reason}`)));
}
