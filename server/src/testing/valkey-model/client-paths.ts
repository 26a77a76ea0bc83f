import type { Random } from "../random.ts";
import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** What lies between the clients and the servers of a model: who gets through to whom, and what becomes of what is published. */
export class ClientPaths {
  /** Share of what is published that gets lost on its way to a subscriber. */
  publishedLoss = 0;
  /** How much later what is published arrives, at most, in milliseconds; from each server in its order. */
  publishedDelayMs = 0;
  /** Subscribers that were cut off because they did not read. */
  cutOffs = 0;
  readonly #random: Random;
  /** By client's process and server between which nothing gets through: what arrives when it does again; undefined: nothing does. */
  readonly #blocked = new Map<string, (() => void)[] | undefined>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether a client gets through to a server. */
  reaches(client: SimulatedProcess, server: ValkeyServer): boolean {
    return !this.#blocked.has(pairOf(client, server));
  }

  /** Lets nothing through. `keepsPublished`: what is published meanwhile arrives afterwards, as when a connection outlives a partition. */
  block(client: SimulatedProcess, server: ValkeyServer, keepsPublished: boolean): void {
    const pair = pairOf(client, server);
    if (!this.#blocked.has(pair)) this.#blocked.set(pair, keepsPublished ? [] : undefined);
  }

  unblock(client: SimulatedProcess, server: ValkeyServer): void {
    const pair = pairOf(client, server);
    const waiting = this.#blocked.get(pair);
    this.#blocked.delete(pair);
    for (const arrive of waiting ?? []) arrive();
  }

  /** Has something that was published arrive, now or when the way is free; or it is lost. */
  pass(client: SimulatedProcess, server: ValkeyServer, arrive: () => void, lost: () => void): void {
    const pair = pairOf(client, server);
    if (!this.#blocked.has(pair)) return arrive();
    const waiting = this.#blocked.get(pair);
    if (waiting === undefined) lost();
    else waiting.push(arrive);
  }

  /** Whether what is published now gets lost. */
  losesPublished(): boolean {
    return this.publishedLoss > 0 && this.#random.chance(this.publishedLoss);
  }

  /** How much later what is published now arrives, in milliseconds. */
  delayMs(): number {
    return this.publishedDelayMs > 0 ? this.#random.between(0, this.publishedDelayMs) : 0;
  }
}

function pairOf(client: SimulatedProcess, server: ValkeyServer): string {
  return `${client.name} ${server.id}`;
}
