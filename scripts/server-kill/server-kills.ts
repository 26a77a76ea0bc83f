import { setTimeout as delay } from "node:timers/promises";
import { type Client, text } from "@fanfare/sdk-core";
import { startStandalone, until } from "../../server/src/testing/valkey-processes.ts";
import { Backend } from "./backend.ts";
import { openPlayer } from "./player.ts";
import { ServerOnValkey } from "./server-on-valkey.ts";
import { type Faults, judge, noFaults, type Stored } from "./verdict.ts";

/** How much is killed under how much load. */
export interface ServerKillOptions {
  readonly kills: number;
  /** Backends that publish one message after the other. */
  readonly backends: number;
  /** Players who receive every group. */
  readonly subscribers: number;
  readonly groups: number;
  /** Between an answer and the backend's next message, in milliseconds. */
  readonly pauseMs: number;
  /** The longest life of a server after it serves, in milliseconds; each is cut at random. */
  readonly lifeMs: number;
  /** Begins no kill after this time, in seconds. */
  readonly maxSeconds: number;
}

/** What `npm run chaos:server-kill` does unless told otherwise. */
export const fullServerKill: ServerKillOptions = {
  kills: 200,
  backends: 6,
  subscribers: 4,
  groups: 3,
  pauseMs: 15,
  lifeMs: 800,
  maxSeconds: 3600,
};

/** What came of it. */
export interface ServerKillReport extends Faults {
  readonly kills: number;
  readonly seconds: number;
  /** Times a server ended by itself, which it never should: one that is cut off from its Valkey comes back in the same process. It is started again. */
  readonly ownEnds: number;
  /** What such servers said last; the first ten. */
  readonly lastWords: readonly string[];
  readonly acknowledged: number;
  /** Calls that were repeated under their key. */
  readonly unanswered: number;
  /** Backends whose last message was never acknowledged. */
  readonly stuck: number;
  /** Repeats that found their message stored. */
  readonly foundStored: number;
  readonly stored: number;
  readonly delivered: number;
  /** Gaps that subscribers were told; there is nothing that could cause one. */
  readonly gaps: number;
  /** From a kill until the next server serves, in milliseconds. */
  readonly restartP50Ms: number;
  readonly restartMaxMs: number;
}

/** How long subscribers may take to have everything when publishing is over, in milliseconds. */
const patienceMs = 20_000;

/** What is told of servers that ended by themselves: of so many, and of each so many lines. */
const maxLastWords = 10;
const lastLines = 5;

/** A player, and what each group brought. */
interface Subscriber {
  readonly client: Client;
  readonly received: Map<string, string[]>;
}

/** Kills a server on a Valkey of its own again and again. `progress` is told a line now and then. */
export async function runServerKills(
  options: ServerKillOptions,
  progress: (line: string) => void,
): Promise<ServerKillReport> {
  const startedMs = performance.now();
  await using stack = new AsyncDisposableStack();
  const valkey = stack.use(await startStandalone());
  const addresses = valkey.addresses.map(({ host, port }) => `${host}:${port}`);
  const server = stack.use(new ServerOnValkey({ addresses, keyPrefix: "chaos" }));
  await server.start();

  const groups = Array.from({ length: options.groups }, (_, i) => `durable:${i}`);
  const count = { gaps: 0, delivered: 0 };
  const subscribers: Subscriber[] = [];
  for (let i = 0; i < options.subscribers; i++) {
    const client = await openPlayer(`subscriber-${i}`, server.url);
    stack.defer(() => client.close());
    subscribers.push(await subscribe(client, groups, count));
  }
  const backends = Array.from(
    { length: options.backends },
    (_, i) => new Backend({ url: server.url, name: `b${i}`, groups, pauseMs: options.pauseMs }),
  );

  const restartsMs: number[] = [];
  const lastWords: string[] = [];
  let [kills, ownEnds] = [0, 0];
  while (kills < options.kills && performance.now() - startedMs < options.maxSeconds * 1000) {
    await delay(Math.random() * options.lifeMs);
    if (server.hasEnded) {
      ownEnds++;
      if (lastWords.length < maxLastWords)
        lastWords.push(server.errors.trimEnd().split("\n").slice(-lastLines).join("\n"));
    } else kills++;
    const killedMs = performance.now();
    await server.kill();
    await server.start();
    restartsMs.push(performance.now() - killedMs);
    if (kills % 10 === 0)
      progress(`${kills} kills, ${backends.reduce((sum, one) => sum + one.acknowledged.length, 0)} acknowledged`);
  }
  await Promise.all(backends.map((backend) => backend.stop()));

  const acknowledged = backends.flatMap((one) => one.acknowledged);
  const faults = noFaults();
  let stored = 0;
  for (const group of groups) {
    const log = await readLog(subscribers[0] as Subscriber, group);
    stored += log.length;
    const received = subscribers.map((one) => one.received.get(group) ?? []);
    await until(async () => received.every(({ length }) => length >= log.length), patienceMs).catch(() => {}); // judged below
    judge(
      faults,
      acknowledged.filter((one) => one.group === group),
      log,
      received,
    );
  }
  restartsMs.sort((a, b) => a - b);
  return {
    kills,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    ownEnds,
    lastWords,
    acknowledged: acknowledged.length,
    unanswered: backends.reduce((sum, one) => sum + one.unanswered, 0),
    stuck: backends.filter(({ isStuck }) => isStuck).length,
    foundStored: acknowledged.filter(({ repeated }) => repeated).length,
    stored,
    ...count,
    ...faults,
    restartP50Ms: Math.round(restartsMs[restartsMs.length >> 1] ?? 0),
    restartMaxMs: Math.round(restartsMs.at(-1) ?? 0),
  };
}

/** Whether nothing was lost, doubled or out of order, no server ended but those that were killed, and there was something that could have been wrong. */
export function isRight(report: ServerKillReport): boolean {
  const faults = Object.keys(noFaults()).reduce((sum, name) => sum + report[name as keyof Faults], 0);
  const { gaps, stuck, ownEnds, kills, acknowledged } = report;
  return faults + gaps + stuck + ownEnds === 0 && kills > 0 && acknowledged > kills;
}

async function subscribe(
  client: Client,
  groups: readonly string[],
  count: { gaps: number; delivered: number },
): Promise<Subscriber> {
  const received = new Map(groups.map((group) => [group, [] as string[]]));
  for (const [group, texts] of received) {
    const channel = await client.join(group);
    channel.on("gap", () => count.gaps++);
    channel.on(text(), (value) => {
      count.delivered++;
      texts.push(value);
    });
  }
  return { client, received };
}

async function readLog({ client }: Subscriber, group: string): Promise<Stored[]> {
  const log: Stored[] = [];
  for await (const { position, payload } of client.to({ group }).stored({ direction: "forward", limit: 1000 })) {
    log.push({ offset: Number(position?.offset), text: payload.text ?? "" });
  }
  return log;
}
