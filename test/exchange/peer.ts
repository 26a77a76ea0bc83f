import type { Client, ConnectOptions, MessageMeta, Target } from "@fanfare/sdk-core";
import { FanfareError, text } from "@fanfare/sdk-core";

/** What one peer of the exchange does. Plain data, so that it can be handed to another process or page. */
export interface PeerTask {
  readonly url: string;
  readonly token: string;
  readonly name: string;
  readonly players: readonly string[];
  /** Messages that every peer publishes to the live group, the durable one, to everybody, and to each other player. */
  readonly counts: Readonly<Record<"group" | "durable" | "broadcast" | "player", number>>;
  /** Rounds of publishes a second; 0: as fast as they are answered. */
  readonly roundsPerSecond: number;
  /** Other origins to which the server may send the peer. */
  readonly allowedOrigins: readonly string[];
}

/** What one peer saw. */
export interface PeerReport {
  readonly name: string;
  readonly published: number;
  readonly received: number;
  /** Each a sentence; empty if nothing was lost, doubled or out of order. */
  readonly faults: readonly string[];
  readonly moves: number;
  readonly gaps: number;
}

/** A peer that is connected and waits for the others. */
export interface Peer {
  /** Publishes, receives everything, and reports. */
  run(): Promise<PeerReport>;
}

type Connect = (options: ConnectOptions) => Promise<Client>;

const group = "exchange";
const durableGroup = "durable:exchange";
const line = text("exchange.line");
/** Publishes that wait for their answers at once. */
const window = 32;
/** How long a peer waits for what is still missing when it has published everything, in milliseconds. */
const patienceMs = 15_000;

/** Connects and subscribes. Runs in Node and in browsers. */
export async function openPeer(connect: Connect, task: PeerTask): Promise<Peer> {
  const ledger = new Ledger(task);
  let moves = 0;
  let gaps = 0;
  const client = await connect({
    url: task.url,
    getToken: () => task.token,
    allowedOrigins: task.allowedOrigins,
    publishTimeoutMs: patienceMs,
    onStatus: (event) => {
      if (event.type === "moving") moves++;
      if (event.type === "open" && !event.resumed && moves > 0) ledger.faults.push("the session was lost");
    },
  });
  const joined = await Promise.all([client.join(group), client.join(durableGroup)]);
  for (const channel of [...joined, client.broadcast, client.player]) {
    channel.on(line, (value, meta) => ledger.take(value, meta));
    channel.on("gap", () => gaps++);
  }
  return {
    async run() {
      const published = await publishAll(client, task, ledger);
      await ledger.complete(patienceMs);
      const report = { name: task.name, published, received: ledger.received, faults: ledger.summary(), moves, gaps };
      await client.close();
      return report;
    },
  };
}

async function publishAll(client: Client, task: PeerTask, ledger: Ledger): Promise<number> {
  const { counts, name, players, roundsPerSecond } = task;
  const others = players.filter((player) => player !== name);
  const targets = [
    { destination: client.to({ group }), count: counts.group },
    { destination: client.to({ group: durableGroup }), count: counts.durable },
    { destination: client.to("broadcast"), count: counts.broadcast },
    ...others.map((player) => ({ destination: client.to({ player }), count: counts.player })),
  ];
  const unanswered = new Set<Promise<void>>();
  let published = 0;
  for (let round = 1; round <= Math.max(...targets.map(({ count }) => count)); round++) {
    for (const { destination, count } of targets) {
      if (round > count) continue;
      const answer = destination.publish(line, `${round}`).then(
        () => undefined,
        (reason: unknown) => void ledger.faults.push(`publish ${round} failed: ${FanfareError.from(reason).message}`),
      );
      unanswered.add(answer);
      void answer.finally(() => unanswered.delete(answer));
      published++;
    }
    while (unanswered.size > window) await Promise.race(unanswered);
    if (roundsPerSecond > 0) await new Promise((resolve) => setTimeout(resolve, 1000 / roundsPerSecond));
  }
  await Promise.all(unanswered);
  return published;
}

/** Checks that each stream (a publisher in a channel) brings 1, 2, 3 … and is complete in the end. */
class Ledger {
  readonly faults: string[] = [];
  received = 0;
  readonly #streams = new Map<string, { next: number; count: number }>();
  readonly #expected: number;
  readonly #complete = Promise.withResolvers<void>();

  constructor({ name, players, counts }: PeerTask) {
    for (const player of players) {
      this.#streams.set(`group from ${player}`, { next: 1, count: counts.group });
      this.#streams.set(`durable from ${player}`, { next: 1, count: counts.durable });
      this.#streams.set(`broadcast from ${player}`, { next: 1, count: counts.broadcast });
      if (player !== name) this.#streams.set(`player from ${player}`, { next: 1, count: counts.player });
    }
    this.#expected = [...this.#streams.values()].reduce((sum, { count }) => sum + count, 0);
  }

  take(value: string, { from, channel }: MessageMeta): void {
    const name = `${kindOf(channel)} from ${from}`;
    const stream = this.#streams.get(name);
    const number = Number(value);
    if (stream === undefined) return void this.faults.push(`${name}: not expected at all`);
    if (number < stream.next) this.faults.push(`${name}: ${number} again or late, after ${stream.next - 1}`);
    if (number > stream.next) this.faults.push(`${name}: ${stream.next} to ${number - 1} missing before ${number}`);
    stream.next = Math.max(stream.next, number + 1);
    this.received++;
    if (this.received === this.#expected) this.#complete.resolve();
  }

  async complete(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#complete.resolve(), limitMs);
    await this.#complete.promise;
    clearTimeout(timer);
    for (const [name, { next, count }] of this.#streams) {
      if (next <= count) this.faults.push(`${name}: ended with ${next - 1} of ${count}`);
    }
  }

  summary(): string[] {
    return this.faults.length > 20 ? [...this.faults.slice(0, 20), `… ${this.faults.length} in all`] : this.faults;
  }
}

function kindOf(channel: Target): string {
  if (channel === "broadcast") return channel;
  if ("player" in channel) return "player";
  return channel.group === durableGroup ? "durable" : "group";
}
