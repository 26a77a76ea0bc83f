import { type Channel, type Client, FanfareError, GapReason, type LogPosition, text } from "@fanfare/sdk-core";
import { type Clock, openClient } from "@fanfare/sdk-core/port";
import { mintToken } from "@fanfare/sdk-node/token";
import type { Balancer } from "./balanced-sockets.ts";
import { tokenSecret } from "./chaos-config.ts";
import type { Seen, Sent } from "./ledger.ts";
import { Newcomers, type Timed, timed } from "./newcomers.ts";
import { Outages } from "./outages.ts";
import { Whereabouts } from "./whereabouts.ts";

/** How large a crowd is and how much it says. */
export interface CrowdOptions {
  readonly balancer: Balancer;
  readonly clients: number;
  /** Live ones; everybody is in two of them. */
  readonly groups: number;
  /** Everybody is in one of them. */
  readonly durableGroups: number;
  /** Of so many messages one is a broadcast. */
  readonly broadcastEvery: number;
  /** Of the whole crowd, messages a second. */
  readonly rate: number;
  /** Of the players, the first so many talk. Default: 12. */
  readonly publishers?: number;
  /** What a message carries besides its number, in bytes. Default: 0. */
  readonly paddingBytes?: number;
}

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};
const ports = {
  clock,
  random: { next: Math.random },
  client: { name: "fanfare-chaos", version: "0", platform: "node" },
};
const defaultPublishers = 12;
/** Players of an app of their own, whose own channels are durable. The first of them write to all of them. */
const inboxes = 24;
/** Names that newcomers have, in turn. */
const newcomerNames = 256;
/** How long a publisher waits for an answer, in milliseconds: longer than any fault and the way to another node, or its outcome is unknown for that. */
const patienceMs = 60_000;
const outcomes = ["pending", "delivered", "stored", "offline", "failed", "unknown"] as const;

/** A few hundred players who talk to each other by all kinds of channels, and keep account of it. */
export class Crowd implements AsyncDisposable {
  readonly sent: Sent[] = [];
  readonly seen: Seen[] = [];
  readonly connects: Timed[] = [];
  readonly subscribes: Timed[] = [];
  /** From the loss of a connection to the next welcome. */
  readonly outages = new Outages();
  readonly whereabouts = new Whereabouts();
  /** Sessions that were begun anew. */
  lostSessions = 0;
  readonly newcomers = new Newcomers((number, dueMs) => this.#visit(number, dueMs));
  /** Why publishes failed or are unknown, as far as their senders were told, and how often. */
  readonly failures = new Map<string, number>();
  /** Messages a second from now on. */
  rate: number;
  readonly #options: CrowdOptions;
  readonly #padding: string;
  readonly #publishers: number;
  readonly #clients = new Map<string, Client>();
  readonly #seqs = new Map<string, number>();
  #talking: Promise<void>[] = [];
  #isTalking = false;
  #targets: readonly string[] = [];
  #targetPadding = "";

  private constructor(options: CrowdOptions) {
    this.#options = options;
    this.rate = options.rate;
    this.#publishers = options.publishers ?? defaultPublishers;
    this.#padding = "x".repeat(options.paddingBytes ?? 0);
  }

  static async open(options: CrowdOptions): Promise<Crowd> {
    const crowd = new Crowd(options);
    const talkers = Array.from({ length: options.clients }, (_, i) => () => crowd.#addTalker(i));
    const readers = Array.from({ length: inboxes }, (_, i) => () => crowd.#add(`reader-${i}`, "mail"));
    const all = [...talkers, ...readers];
    for (let i = 0; i < all.length; i += 25) await Promise.all(all.slice(i, i + 25).map((add) => add()));
    return crowd;
  }

  /** Everybody begins to talk. */
  start(): void {
    this.#isTalking = true;
    for (let i = 0; i < this.#publishers; i++) this.#talking.push(this.#talk(i));
    this.#talking.push(this.newcomers.come(() => this.#isTalking));
  }

  /**
   * Everybody falls silent; settles when all that was said is answered, and nothing comes any more.
   * @param hasAll whether what must come has come: what is late is not lost, and is waited for as long as there is patience
   */
  async stop(patienceMs: number, hasAll: () => boolean): Promise<void> {
    this.#isTalking = false;
    await Promise.all(this.#talking);
    const untilMs = performance.now() + patienceMs;
    const isPending = () => this.sent.some(({ outcome }) => outcome === "pending");
    while (isPending() && performance.now() < untilMs) await pause(50);
    let before = -1;
    while (performance.now() < untilMs) {
      const now = this.seen.reduce((sum, { messages }) => sum + messages.length, 0);
      if (now === before && hasAll()) break;
      before = now;
      await pause(1_500);
    }
  }

  /** From now on most live messages of others go to players who are at this node now, with so much padding; undefined: to everybody again. */
  aimAt(nodeId: string | undefined, paddingBytes: number): void {
    const names = nodeId === undefined ? [] : [...this.#clients.keys()];
    const isTarget = (name: string) => name.startsWith("player-") && this.#clients.get(name)?.server.nodeId === nodeId;
    this.#targets = names.filter(isTarget);
    this.#targetPadding = "x".repeat(paddingBytes);
  }

  /** How many there are, without the newcomers. */
  get size(): number {
    return this.#clients.size;
  }

  /** Clients that have a connection. */
  get connected(): number {
    return [...this.#clients.values()].filter(({ status }) => status === "open" || status === "moving").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isTalking = false;
    await Promise.allSettled([...this.#clients.values()].map((client) => client.close()));
  }

  async #addTalker(number: number): Promise<void> {
    const { groups, durableGroups } = this.#options;
    const name = `player-${number}`;
    const client = await this.#add(name, "game");
    this.#watch(name, "*", client.broadcast);
    for (const group of [`live:${number % groups}`, `live:${(number + 1) % groups}`, `log:${number % durableGroups}`]) {
      this.#watch(name, group, await client.join(group));
    }
  }

  async #add(name: string, app: "game" | "mail"): Promise<Client> {
    const client = await this.#connect(name, app);
    this.#clients.set(name, client);
    let { sessionId } = client;
    this.whereabouts.arrived(name, client.server.nodeId, performance.now());
    client.on("status", (event) => {
      const nowMs = performance.now();
      if (event.type === "waiting" || event.type === "connecting" || event.type === "closed") {
        this.outages.down(name, nowMs);
      }
      if (event.type !== "open") return;
      this.outages.up(name, nowMs);
      this.whereabouts.arrived(name, event.nodeId, nowMs);
      if (event.sessionId !== sessionId) this.lostSessions++;
      sessionId = event.sessionId;
    });
    this.#watch(name, `@${name}`, client.player);
    return client;
  }

  async #connect(player: string, app: "game" | "mail"): Promise<Client> {
    const { token } = await mintToken({ app, player, key: tokenSecret, keyId: "k", lifetimeMs: 3_600_000 });
    const options = { url: "ws://127.0.0.1:1/v1/connect", getToken: () => token };
    return await openClient(options, { ...ports, sockets: this.#options.balancer });
  }

  #watch(subscriber: string, name: string, channel: Channel): void {
    const view: Seen = { subscriber, channel: name, openedAtMs: performance.now(), messages: [], gaps: [] };
    this.seen.push(view);
    channel.on("gap", ({ reason, from, to }) => {
      const why = typeof reason === "string" ? reason : GapReason[reason];
      view.gaps.push({ atMs: performance.now(), reason: why, from: placeOf(from), to: placeOf(to) });
    });
    channel.on(text(), (value) => {
      const [publisher = 0, seq = 0] = value.split(":", 2).map(Number);
      view.messages.push({ publisher, seq, atMs: performance.now() });
    });
  }

  async #talk(publisher: number): Promise<void> {
    const { clients, groups, durableGroups, broadcastEvery } = this.#options;
    let dueMs = performance.now();
    for (let turn = publisher * 37; this.#isTalking; turn++) {
      const [round, kind] = [Math.trunc(turn / 10), turn % 10];
      const target = this.#targets[turn % Math.max(1, this.#targets.length)];
      const isAside = !this.#targets.includes(`player-${publisher}`);
      if (turn % broadcastEvery === 0) this.#publish(publisher, "*");
      else if (target !== undefined && isAside && (kind < 3 || kind > 6))
        this.#publish(publisher, `@${target}`, this.#targetPadding);
      else if (kind < 4) this.#publish(publisher, `live:${(round * 4 + kind) % groups}`);
      else if (kind < 6) this.#publish(publisher, `log:${(round * 2 + kind) % durableGroups}`);
      else if (kind === 6) this.#publish(publisher, `@reader-${round % inboxes}`);
      else this.#publish(publisher, `@player-${(round * 3 + kind) % clients}`);
      // Who fell behind catches up, but not what it has missed in more than a second.
      dueMs = Math.max(dueMs + (1000 * this.#publishers) / this.rate, performance.now() - 1_000);
      await pause(Math.max(0, dueMs - performance.now()));
    }
  }

  #publish(publisher: number, name: string, padding = this.#padding): void {
    const isMail = name.startsWith("@reader-");
    const from = isMail ? `reader-${publisher % inboxes}` : `player-${publisher}`;
    const durable = isMail || name.startsWith("log:");
    const client = this.#clients.get(from) as Client;
    const key = `${publisher} ${name}`;
    const seq = (this.#seqs.get(key) ?? 0) + 1;
    this.#seqs.set(key, seq);
    const sentAtMs = performance.now();
    const sent: Sent = { channel: name, publisher, from, seq, sentAtMs, durable, outcome: "pending", answeredAtMs: 0 };
    this.sent.push(sent);
    const target = name === "*" ? "broadcast" : name[0] === "@" ? { player: name.slice(1) } : { group: name };
    const answered = (outcome: Sent["outcome"]): void => {
      sent.outcome = outcome;
      sent.answeredAtMs = performance.now();
    };
    client
      .to(target)
      .publish(text(), `${publisher}:${seq}:${padding}`, { timeoutMs: patienceMs })
      .then(
        ({ outcome }) => answered(outcomes[outcome] ?? "unknown"),
        (reason: unknown) => {
          const error = FanfareError.from(reason);
          const told = `${durable ? "durable" : "live"}: ${error.message.replaceAll(/\d+/g, "…")}`;
          this.failures.set(told, (this.failures.get(told) ?? 0) + 1);
          sent.reason = error.message;
          answered(outcomes[error.outcome ?? 0] ?? "unknown");
        },
      );
  }

  /** A newcomer connects, joins and goes; so, too, one who cannot join, or it would look for a server for as long as the process lives. */
  async #visit(number: number, dueMs: number): Promise<void> {
    const connected = this.#connect(`newcomer-${number % newcomerNames}`, "game");
    const client = await timed(this.connects, connected, dueMs);
    try {
      await timed(this.subscribes, client.join(`live:${number % this.#options.groups}`));
    } finally {
      await client.close();
    }
  }
}

function placeOf(position: LogPosition | undefined): string | undefined {
  return position && `${position.epoch}:${position.offset}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
