import {
  type Channel,
  type Client,
  type ConnectOptions,
  ErrorCode,
  FanfareError,
  Outcome,
  type TappedFrame,
  text,
} from "@fanfare/sdk-core";
import { openClient, type Ports, type SocketFactory } from "@fanfare/sdk-core/port";
import { epochMs, SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import type { Ledger, Subscriber, Trace } from "./ledger.ts";
import type { Network } from "./network.ts";
import { appId, isDurable, memberGroups, presenceGroup } from "./plan.ts";
import { simulatedToken } from "./simulated-node.ts";

/** What players of a run share. */
export interface PlayerSurroundings {
  readonly simulation: Simulation;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly trace: Trace;
  /** Frames are traced, too. */
  readonly showsFrames: boolean;
  /** Since when a client may be told by this error that its session is over; undefined: it may not. */
  readonly mayEndSinceMs: (playerId: string, error: FanfareError | undefined) => number | undefined;
}

/** The method that a backend calls, with the call's name, which is also the answer. */
export const echoMethod = "echo";

const words = text("words");
/** Tokens outlive the run. */
const tokenLifeMs = 86_400_000;

/** One run of the SDK's client in a program of its own: from `connect` to its close. */
export class SimulatedPlayer {
  readonly playerId: string;
  /** Names this run of the client. */
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly #around: PlayerSurroundings;
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #channels = new Map<string, Channel>();
  #client: Client | undefined;
  #isClosed = false;
  #published = 0;
  #openAnswers = 0;
  #sessions = 0;
  #openedMs = 0;
  /** When something came the last time while it was connected; who never comes back is told nothing of what came after. */
  #heardMs = 0;
  #shown = 0;
  readonly #handled = new Map<string, number>();

  constructor(around: PlayerSurroundings, playerId: string, name: string) {
    const { simulation, ledger, network } = around;
    this.#around = around;
    this.playerId = playerId;
    this.name = name;
    const random = simulation.random(`${name} clock`);
    this.process = new SimulatedProcess({
      simulation,
      name,
      skewMs: random.between(-2000, 2000),
      onThrown: (reason) => ledger.fault(`the client of ${name} threw ${stackOf(reason)}`),
    });
    const options: ConnectOptions = {
      url: "ws://game.test",
      getToken: () => simulatedToken(appId, playerId, epochMs + tokenLifeMs),
      connectTimeoutMs: 120_000,
      publishTimeoutMs: 30_000,
      ...(around.showsFrames && { onFrame: (frame) => around.trace?.(`${name} ${frameText(frame)}`) }),
      onStatus: (event) => {
        if (event.type === "open") {
          around.trace?.(`${name} is connected to ${event.nodeId}, resumed: ${event.resumed}`);
          this.#openedMs = simulation.nowMs;
          this.#heardMs = simulation.nowMs;
          this.#nameSession();
          if (event.resumed) ledger.resumed(name);
          else this.#sessions++;
        } else if (event.type === "channel-opened") this.#watchGroup(event.channel);
        else if (event.type === "waiting") around.trace?.(`${name} waits: ${event.error?.message ?? "no reason"}`);
        else if (event.type === "moving") around.trace?.(`${name} moves`);
        else if (event.type === "closed" && !this.#isClosed) this.#endedByItself(event.error);
        else if (event.type === "error" && event.source !== "server") {
          ledger.fault(`the client of ${name} reports ${event.source}: ${stackOf(event.error)}`);
        }
      },
    };
    openClient(options, this.#ports(network)).then(
      (client) => {
        this.#client = client;
        if (this.#isClosed) void client.close();
        else this.#connected(client);
      },
      (reason: unknown) => {
        if (!this.#isClosed) this.#endedByItself(FanfareError.from(reason));
      },
    );
  }

  /** The session stands. */
  get isOpen(): boolean {
    return this.#client?.status === "open";
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sessions that it has had; the last one is still there while it is not closed. */
  get sessions(): number {
    return this.#sessions;
  }

  /** When it was connected the last time. */
  get openedMs(): number {
    return this.#openedMs;
  }

  /** Whose session it is, in messages and presence. */
  get origin(): bigint {
    return this.#client?.origin ?? 0n;
  }

  /** What it wanted others to see of it the last time. */
  get shown(): number {
    return this.#shown;
  }

  /** How often it was called by a name. */
  timesCalled(name: string): number {
    return this.#handled.get(name) ?? 0;
  }

  /** Groups that the server has opened for it. */
  get memberOf(): string[] {
    return memberGroups.filter((group) => this.#channels.has(group));
  }

  /** Who is in the group of presence by what it was told, and what they show; undefined: that is not known yet. */
  get present(): Map<bigint, unknown> | undefined {
    const roster = this.#channels.get(presenceGroup)?.roster;
    if (roster === undefined || !roster.complete || roster.countsOnly) return undefined;
    return new Map(Array.from(roster, ({ origin, data }) => [origin, data]));
  }

  /** Publishes without an answer. */
  get openAnswers(): number {
    return this.#openAnswers;
  }

  /** Groups that it has joined. */
  get groups(): string[] {
    return [...this.#channels.keys()].filter((channel) => channel.includes(":") && !memberGroups.includes(channel));
  }

  /** It has read every durable channel up to its head. */
  get isCaughtUp(): boolean {
    return [...this.#channels.values()].every(({ position, head }) => position?.offset === head?.offset);
  }

  /** Has something happen in the player's program, if it is connected for the first time. */
  run(action: (client: Client) => void): void {
    const client = this.#client;
    if (client !== undefined && !this.#isClosed) this.process.run(() => action(client));
  }

  join(group: string, from?: { readonly rewind: number }): void {
    if (this.#channels.has(group)) return;
    this.run((client) => {
      const presence = group === presenceGroup ? { presence: ++this.#shown } : {};
      const askedMs = from === undefined ? this.#around.simulation.nowMs : undefined;
      client.join(group, from === undefined ? presence : { from }).then(
        (channel) => this.#watch(group, channel, askedMs),
        (reason: unknown) => {
          this.#around.trace?.(`${this.name} could not join ${group}: ${String(reason)}`);
          // Who has just sent again all that was not answered is asked to wait.
          if (!(reason instanceof FanfareError) || reason.code !== ErrorCode.RATE_LIMITED) return;
          this.#around.simulation.after(reason.retryAfterMs, () => this.join(group, from));
        },
      );
    });
  }

  leave(group: string): void {
    const channel = this.#channels.get(group);
    if (channel === undefined) return;
    this.run(() => {
      this.#end(group, "left");
      channel
        .leave()
        .catch((reason: unknown) => this.#around.trace?.(`${this.name} could not leave: ${String(reason)}`));
    });
  }

  /** Stores how far it has read, of a durable group. */
  commit(group: string): void {
    const channel = this.#channels.get(group);
    const { ledger } = this.#around;
    this.run(() => {
      if (channel?.position === undefined) return;
      const entry = ledger.committing(this.name, group, channel.position);
      channel.commit().then(
        (cursor) => ledger.committed(entry, { cursor }),
        (reason: unknown) => ledger.committed(entry, { error: errorText(reason) }),
      );
    });
  }

  /** Reads a page of a log. */
  lookBack(group: string, isForward: boolean, limit: number): void {
    const { ledger } = this.#around;
    this.run((client) => {
      const reading = client.to({ group }).history({ direction: isForward ? "forward" : "backward", limit });
      reading.then(
        ({ messages, next, head, tail }) => {
          const read = messages.map((message) => ({ id: message.read(words).trimEnd(), position: message.position }));
          const hasMore = next !== undefined;
          ledger.read({ by: this.name, channel: group, isForward, messages: read, hasMore, head, tail });
        },
        (reason: unknown) => ledger.refusedPage(this.name, group, errorText(reason)),
      );
    });
  }

  /** Changes what others see. */
  show(group: string): void {
    const channel = this.#channels.get(group);
    if (channel === undefined) return;
    this.run(() => {
      channel
        .updatePresence(++this.#shown)
        .catch((reason: unknown) => this.#around.trace?.(`${this.name} could not show: ${String(reason)}`));
    });
  }

  publish(
    to: string,
    options: { isVolatile?: boolean; excludeSelf?: boolean; size?: number; conflate?: string | undefined } = {},
  ): void {
    const { isVolatile = false, excludeSelf = false, size = 0, conflate } = options;
    this.run((client) => {
      const id = `${this.name}.${++this.#published}`;
      const entry = this.#around.ledger.began({
        ...{ id, by: this.name, session: this.#sessions },
        ...{ channel: to, isVolatile, excludeSelf, conflate },
      });
      const value = id.padEnd(size, " ");
      const destination = client.to(targetOf(to));
      if (isVolatile) {
        if (!destination.send(words, value, { excludeSelf, conflate })) entry.error = "dropped by the client";
        return;
      }
      this.#openAnswers++;
      const answered = (answer: Parameters<Ledger["answered"]>[1]): void => {
        this.#openAnswers--;
        this.#around.ledger.answered(entry, answer);
      };
      destination.publish(words, value, { excludeSelf }).then(
        ({ outcome, position }) => answered({ outcome, error: "", position }),
        (reason: unknown) => {
          const { outcome = Outcome.UNKNOWN, code, message } = FanfareError.from(reason);
          answered({ outcome, error: `${code} ${message}` });
        },
      );
    });
  }

  /** Ends the session, and the program. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#around.trace?.(`${this.name} closes`);
    for (const channel of [...this.#subscribers.keys()]) this.#end(channel, "closed");
    this.process.run(() => void this.#client?.close());
  }

  /** The program ends without a word. */
  kill(): void {
    this.#isClosed = true;
    for (const channel of [...this.#subscribers.keys()]) this.#end(channel, "killed");
    this.process.kill();
  }

  #ports(network: Network): Ports {
    const { clock, random } = this.process;
    return {
      clock: {
        now: () => clock.nowMs(),
        monotonic: () => clock.monotonicMs(),
        setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
        clearTimer: (timer) => (timer as ReturnType<typeof clock.setTimer> | undefined)?.cancel(),
      },
      random: { next: () => random.next() / 2 ** 32 },
      sockets: this.#heard(network.factory(this.process)),
      client: { name: "simulated", version: "1", platform: "" },
    };
  }

  /** Notes when something comes. What refuses a connection says nothing of what was missed. */
  #heard(sockets: SocketFactory): SocketFactory {
    return {
      open: (url, subprotocols, events) =>
        sockets.open(url, subprotocols, {
          opened: (subprotocol) => events.opened(subprotocol),
          message: (data) => {
            const { nowMs } = this.#around.simulation;
            if (this.isOpen && nowMs > this.process.thawedMs) this.#heardMs = nowMs;
            events.message(data);
          },
          closed: (...args) => events.closed(...args),
        }),
    };
  }

  #nameSession(): void {
    if (this.#client !== undefined) this.#around.ledger.welcomed(this.name, this.#client.origin);
  }

  #connected(client: Client): void {
    this.#nameSession();
    this.#watch("broadcast", client.broadcast);
    this.#watch(`player/${this.playerId}`, client.player);
    for (const channel of client.channels) this.#watchGroup(channel);
    client.handle(echoMethod, { request: words, response: words }, (name) => {
      this.#handled.set(name, this.timesCalled(name) + 1);
      return name;
    });
  }

  /** Of a group that the server has opened. */
  #watchGroup(channel: Channel): void {
    const { target } = channel;
    const name = target !== "broadcast" && "group" in target ? target.group : "";
    if (memberGroups.includes(name)) this.#watch(name, channel);
  }

  #watch(name: string, channel: Channel, askedMs?: number): void {
    if (this.#isClosed || this.#channels.get(name) === channel) return;
    const { ledger } = this.#around;
    this.#channels.set(name, channel);
    const subscriber = ledger.opened(this.name, name, isDurable(name) ? channel.position : undefined, askedMs);
    this.#subscribers.set(name, subscriber);
    if (name === presenceGroup) channel.roster.on("change", (event) => ledger.roster(subscriber, event));
    channel.on("gap", (gap) => ledger.gap(subscriber, gap));
    channel.on("closed", ({ reason }) => this.#end(name, `closed by the server, ${reason}`));
    channel.on(words, (value, { origin, seq, volatile: isVolatile, position }) => {
      if (subscriber.endedMs !== undefined) return;
      ledger.message(subscriber, { id: value.trimEnd(), origin, seq, isVolatile, position, session: this.#sessions });
    });
  }

  #end(name: string, why: string, atMs?: number): void {
    const subscriber = this.#subscribers.get(name);
    if (subscriber !== undefined) this.#around.ledger.ended(subscriber, why, this.#heardMs, atMs);
    this.#subscribers.delete(name);
    this.#channels.delete(name);
  }

  #endedByItself(error: FanfareError | undefined): void {
    const { ledger, trace, mayEndSinceMs } = this.#around;
    const sinceMs = mayEndSinceMs(this.playerId, error);
    const why = `the client of ${this.name} gave up: ${error?.code} ${error?.message}`;
    if (sinceMs === undefined) ledger.fault(why);
    else trace?.(why);
    this.#isClosed = true;
    for (const channel of [...this.#subscribers.keys()])
      this.#end(channel, "the client gave up", Math.min(sinceMs ?? Infinity, this.#heardMs));
  }
}

function frameText({ direction, connection, kind, frame }: TappedFrame): string {
  const id = frame.id === undefined || frame.id === 0 ? "" : ` ${frame.id}`;
  const body: unknown = Object.entries(frame).find(([key]) => key === kind)?.[1];
  const text = JSON.stringify(body, (_, value: unknown) => {
    if (value instanceof Uint8Array) return `${value.byteLength} B`;
    return typeof value === "bigint" ? value.toString(16) : value;
  });
  return `${direction === "out" ? "->" : "<-"} ${connection}${id} ${kind} ${text}`;
}

function targetOf(to: string) {
  if (to === "broadcast") return "broadcast";
  return to.startsWith("player/") ? { player: to.slice("player/".length) } : { group: to };
}

/** Its code, and what it says. */
function errorText(reason: unknown): string {
  const { code, message } = FanfareError.from(reason);
  return `${ErrorCode[code]} ${message}`;
}

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}
