import { type Client, type StatusEvent, text } from "@fanfare/sdk-core";
import { type Clock, openClient } from "@fanfare/sdk-core/port";
import { mintToken } from "@fanfare/sdk-node/token";
import { nodeSockets } from "../../sdk-node/src/node-socket.ts";
import { type Faults, StreamLedger } from "./ledger.ts";
import type { ClientsFigures, ClientsTask } from "./messages.ts";

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** The back-off would grow to 30 s where no connection lives for long; these clients come back within a quarter of a second. */
const random = { next: () => Math.random() / 128 };
const info = { name: "fanfare-soak", version: "0", platform: "node" };

/** A player who joins a few groups and keeps account of what each brings. */
export class SoakClient {
  readonly #client: Client;
  readonly #figures: ClientsFigures;
  readonly #streams = new Map<number, StreamLedger>();
  #waitingSince: number | undefined;
  readonly #reconnectMs: number[];

  private constructor(client: Client, figures: ClientsFigures, reconnectMs: number[]) {
    this.#client = client;
    this.#figures = figures;
    this.#reconnectMs = reconnectMs;
    client.on("status", (event) => this.#onStatus(event));
  }

  static async open(
    number: number,
    { url, tokenSecret, groups, groupsPerClient }: ClientsTask,
    figures: ClientsFigures,
    reconnectMs: number[],
  ): Promise<SoakClient> {
    const mint = { app: "dev", player: `player-${number}`, key: tokenSecret, keyId: "dev", lifetimeMs: 3_600_000 };
    const { token } = await mintToken(mint);
    const ports = { clock, random, sockets: nodeSockets, client: info };
    const client = new SoakClient(await openClient({ url, getToken: () => token }, ports), figures, reconnectMs);
    for (let i = 0; i < groupsPerClient; i++) await client.#join((number + i) % groups);
    return client;
  }

  /** Everything that was published, by group, is there. */
  has(published: readonly number[]): boolean {
    return [...this.#streams].every(([group, { received }]) => received >= (published[group] ?? 0));
  }

  faults(published: readonly number[]): Faults[] {
    return [...this.#streams].map(([group, stream]) => stream.faults(published[group] ?? 0));
  }

  async #join(number: number): Promise<void> {
    const stream = new StreamLedger();
    this.#streams.set(number, stream);
    const channel = await this.#client.join(`soak:${number}`);
    channel.on("gap", () => this.#figures.gaps++);
    channel.on(text(), (value) => {
      this.#figures.received++;
      stream.take(Number(value));
    });
  }

  #onStatus(event: StatusEvent): void {
    if (event.type === "waiting") this.#waitingSince ??= performance.now();
    if (event.type !== "open" || this.#waitingSince === undefined) return;
    this.#reconnectMs.push(Math.round(performance.now() - this.#waitingSince));
    this.#waitingSince = undefined;
    this.#figures.reconnects++;
    if (event.resumed) this.#figures.resumes++;
    for (const channel of this.#client.channels) if (channel.recovered) this.#figures.recovered++;
  }
}
