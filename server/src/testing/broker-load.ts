import { setTimeout as delay } from "node:timers/promises";
import type { Broker } from "../broker/broker.ts";
import type { AppChannel } from "../broker/route-store.ts";
import { newAppChannel, newName } from "./broker-under-test.ts";

/** What a load has done. */
export interface BrokerTotals {
  readonly changes: number;
  readonly refusedChanges: number;
  readonly reads: number;
  readonly refusedReads: number;
  readonly longestChangeMs: number;
  readonly longestReadMs: number;
}

/** How long a worker rests behind each round, in milliseconds. */
const pauseMs = 5;

/**
 * Changes of all kinds at one node, each followed at once by a read at another: what was acknowledged must be there, or the read must be refused. At
 * the end everything that was acknowledged is looked for again.
 */
export class BrokerLoad {
  /** Whatever is wrong, in sentences. */
  readonly faults: string[] = [];
  readonly #writer: Broker;
  readonly #reader: Broker;
  readonly #running: Promise<void>[];
  readonly #routes: { channel: AppChannel; incarnation: bigint }[] = [];
  readonly #members: { player: string; group: string }[] = [];
  readonly #sessions: { id: string; attempt: number; owner: bigint }[] = [];
  #isStopped = false;
  #counts = { changes: 0, refusedChanges: 0, reads: 0, refusedReads: 0, longestChangeMs: 0, longestReadMs: 0 };

  constructor(writer: Broker, reader: Broker, workers = 8) {
    this.#writer = writer;
    this.#reader = reader;
    this.#running = Array.from({ length: workers }, (_, i) =>
      [() => this.#route(BigInt(i + 1)), () => this.#membership(), () => this.#session(BigInt(i + 1))].map((round) =>
        this.#repeat(round),
      ),
    ).flat();
  }

  get totals(): BrokerTotals {
    return this.#counts;
  }

  /** Ends the load and looks for everything again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    await this.#verify();
  }

  async #repeat(round: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      await round();
      await delay(pauseMs);
    }
  }

  async #route(incarnation: bigint): Promise<void> {
    const channel = newAppChannel();
    const isAdded = await this.#change(() => this.#writer.routes.add(channel, incarnation, 1));
    if (isAdded === undefined) return;
    this.#routes.push({ channel, incarnation });
    const route = await this.#read(() => this.#reader.routes.read(channel));
    if (route !== undefined && !route.includes(incarnation)) {
      this.faults.push(`the route of ${channel.key} was read without what had been added`);
    }
  }

  async #membership(): Promise<void> {
    const [player, group] = [newName("player"), newName("chat:g")];
    const added = await this.#change(() => this.#writer.memberships.add("game", player, group, 10));
    if (added === undefined) return;
    if (!added.changed) this.faults.push(`${player} was a member before`);
    this.#members.push({ player, group });
    const found = await this.#read(() => this.#reader.memberships.groupsOf("game", player));
    if (found !== undefined && !found.groups.includes(group))
      this.faults.push(`the membership of ${player} was not found`);
  }

  async #session(owner: bigint): Promise<void> {
    const id = newName("session");
    const claim = (by: Broker, attempt: number, as: bigint) =>
      by.sessions.claim({
        ...{ appId: "game", sessionId: id, attempt, owner: as, record: Buffer.from(`${attempt}`), lifeMs: 600_000 },
        expects: attempt === 1 ? "new" : "existing",
      });
    const first = await this.#change(() => claim(this.#writer, 1, owner));
    if (first === undefined) return;
    if (first.outcome !== "claimed") return void this.faults.push(`${id} was ${first.outcome} at first`);
    this.#sessions.push({ id, attempt: 1, owner });
    // Two nodes at once: one of them has it.
    const rivals = [owner + 100n, owner + 200n] as const;
    const results = await Promise.all([
      this.#change(() => claim(this.#writer, 2, rivals[0])),
      this.#change(() => claim(this.#reader, 2, rivals[1])),
    ]);
    const winners = rivals.filter((_, i) => results[i]?.outcome === "claimed");
    if (winners.length === 2) this.faults.push(`${id} was given to both`);
    for (const result of results) {
      if (result?.outcome === "claimed" && result.previous?.owner !== owner) {
        this.faults.push(`${id} was taken from ${result.previous?.owner} and not from ${owner}`);
      }
      if (result?.outcome === "unknown") this.faults.push(`${id} was not found`);
    }
    const [winner] = winners;
    // Whose claim was refused may have it all the same.
    if (winner === undefined)
      this.#sessions.splice(
        this.#sessions.findIndex((one) => one.id === id),
        1,
      );
    else Object.assign(this.#sessions.find((one) => one.id === id) ?? {}, { attempt: 2, owner: winner });
  }

  async #change<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const beganMs = performance.now();
    try {
      const result = await work();
      this.#counts.changes++;
      this.#counts.longestChangeMs = Math.max(this.#counts.longestChangeMs, performance.now() - beganMs);
      return result;
    } catch {
      this.#counts.refusedChanges++;
      return undefined;
    }
  }

  async #read<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const beganMs = performance.now();
    try {
      this.#counts.reads++;
      return await work();
    } catch {
      this.#counts.refusedReads++;
      return undefined;
    } finally {
      this.#counts.longestReadMs = Math.max(this.#counts.longestReadMs, performance.now() - beganMs);
    }
  }

  async #verify(): Promise<void> {
    for (const { channel, incarnation } of this.#routes) {
      const route = await settled(() => this.#reader.routes.read(channel));
      if (!route.includes(incarnation)) this.faults.push(`the route of ${channel.key} is lost`);
    }
    for (const { player, group } of this.#members) {
      const { groups } = await this.#reader.memberships.groupsOf("game", player);
      if (!groups.includes(group)) this.faults.push(`the membership of ${player} is lost`);
      const { names } = await this.#reader.memberships.playersOf("game", group, undefined, 10);
      if (!names.includes(player)) this.faults.push(`the group of ${player} has lost it`);
    }
    for (const { id, attempt, owner } of this.#sessions) {
      const claim = { attempt: 9, owner: 1n, record: Buffer.from(""), lifeMs: 600_000, expects: "existing" } as const;
      const result = await this.#reader.sessions.claim({ appId: "game", sessionId: id, ...claim });
      const previous = result.outcome === "claimed" ? result.previous : undefined;
      if (previous?.owner !== owner || String(previous.record) !== `${attempt}`) {
        this.faults.push(`${id} was owned by ${owner}, and is ${result.outcome} with ${previous?.owner}`);
      }
    }
  }
}

/** Tries a read that is refused while things change. */
async function settled<Result>(read: () => Promise<Result>): Promise<Result> {
  for (let tries = 0; ; tries++) {
    try {
      return await read();
    } catch (reason) {
      if (tries === 100) throw reason;
      await delay(100);
    }
  }
}
