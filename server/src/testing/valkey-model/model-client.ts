import type { Timer } from "../../clock.ts";
import type { Command, Destination, Reply, ValkeyClient } from "../../valkey/valkey-client.ts";
import { defaultRequestTimeoutMs, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import { Wire } from "../simulation/wire.ts";
import { binaryOf, clientReplyOf, ErrorReply, errorOf, type ModelReply } from "./reply.ts";
import type { ServerConnection } from "./server-connection.ts";
import { type ClusterView, slotOfKey } from "./slots.ts";
import type { ValkeyModel } from "./valkey-model.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** Redirections that are followed for one command. */
const maxRedirections = 5;
/** For how long a client that has lost a primary goes on without it, in milliseconds: from, to. Measured with GLIDE: see the project's facts. */
const wedgedMs = [12_000, 18_000] as const;

interface Peer {
  readonly server: ValkeyServer;
  readonly connection: ServerConnection;
  readonly up: Wire;
  readonly down: Wire;
}

/** What commands of one call have come to. */
type Answered = readonly (ModelReply | Error)[];

/**
 * A client as GLIDE is one: it follows redirections without a word, gives up waiting while the command goes on, and when it has lost a primary it
 * stays so for long, unless it is replaced.
 */
export class ModelClient implements ValkeyClient {
  readonly #model: ValkeyModel;
  readonly process: SimulatedProcess;
  readonly #timeoutMs: number;
  readonly #peers = new Map<string, Peer>();
  /** Servers that it does not get back to before a time. */
  readonly #wedged = new Map<string, number>();
  readonly #calls = new Set<{ readonly fail: (reason: Error) => void }>();
  #view: ClusterView | undefined;
  #isClosed = false;

  constructor(model: ValkeyModel, process: SimulatedProcess, options: ValkeyOptions, view: ClusterView | undefined) {
    this.#model = model;
    this.process = process;
    this.#timeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs;
    this.#view = view;
  }

  async send(command: Command, destination?: Destination): Promise<Reply> {
    const binary = command.map(binaryOf);
    if (destination === "all-primaries") {
      const all = await Promise.all(this.#primaries().map((id) => this.#call(id, [binary], this.#timeoutMs)));
      for (const [reply] of all) throwIfFailed(reply);
      return null;
    }
    const [reply] = await this.#call(this.#targetOf(binary, destination), [binary], this.#timeoutMs);
    throwIfFailed(reply);
    return clientReplyOf(reply as ModelReply);
  }

  async pipeline(commands: readonly Command[], slotOf: string, timeoutMs: number): Promise<readonly Reply[]> {
    const id = this.#view?.primaryOf(slotOfKey(slotOf)) ?? this.#alone();
    const target = this.#isLost(id) ? this.#anyOther(id) : id;
    const replies = await this.#call(
      target,
      commands.map((command) => command.map(binaryOf)),
      timeoutMs,
    );
    return replies.map((reply) => (reply instanceof Error ? reply : clientReplyOf(reply)));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#model.clientClosed(this);
    for (const { connection } of this.#peers.values()) connection.close();
    this.#peers.clear();
    for (const call of [...this.#calls]) call.fail(new Error("ClosingError: the client was closed"));
  }

  /** Its process is dead: nobody waits for anything any more. */
  abandon(): void {
    this.#isClosed = true;
    this.#model.clientClosed(this);
    for (const { connection } of this.#peers.values()) connection.close();
    this.#calls.clear();
  }

  /** A server has died, and its connections with it. */
  serverDied(server: ValkeyServer): void {
    const peer = this.#peers.get(server.id);
    if (peer?.server !== server) return;
    this.#peers.delete(server.id);
    this.#wedge(server.id);
  }

  #wedge(id: string): void {
    if (this.#wedged.has(id)) return;
    const { simulation, random } = this.#model;
    const untilMs = simulation.nowMs + random.between(...wedgedMs);
    this.#wedged.set(id, untilMs);
    simulation.at(untilMs, () => {
      this.#wedged.delete(id);
      this.#refresh();
    });
  }

  /** Whether it has lost a server, and knows it. */
  #isLost(id: string): boolean {
    return this.#wedged.has(id);
  }

  /** GLIDE sends a batch to any other node when it has lost the one it is for. */
  #anyOther(id: string): string {
    const others = this.#primaries().filter((other) => other !== id && !this.#isLost(other));
    return this.#model.random.chance(0.5) ? id : (others[this.#model.random.below(others.length)] ?? id);
  }

  #primaries(): string[] {
    return this.#view?.shards.map(({ primary }) => primary) ?? [this.#alone()];
  }

  #alone(): string {
    return this.#model.primary(0).id;
  }

  #targetOf(command: readonly string[], destination: Exclude<Destination, "all-primaries"> | undefined): string {
    if (this.#view === undefined) return this.#alone();
    if (destination === "any") {
      const known = this.#primaries().filter((id) => !this.#isLost(id));
      return known[this.#model.random.below(known.length)] ?? (this.#primaries()[0] as string);
    }
    const key = destination === undefined ? keyOf(command) : keyNamed(destination);
    return this.#view.primaryOf(slotOfKey(key));
  }

  /** Sends commands to one server and follows what is redirected, within a time. */
  #call(id: string, commands: readonly (readonly string[])[], timeoutMs: number): Promise<Answered> {
    if (this.#isClosed) return Promise.reject(new Error("ClosingError: the client was closed"));
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const { simulation } = this.#model;
    let timer: Timer | undefined;
    const call = {
      fail: (reason: Error): void => {
        if (!this.#calls.delete(call)) return;
        timer?.cancel();
        reject(reason);
      },
    };
    this.#calls.add(call);
    timer = simulation.after(timeoutMs, () => this.process.run(() => call.fail(new Error("timed out")), call));
    const isOpen = () => this.#calls.has(call);
    this.#exchange(id, commands, false, isOpen, (replies) => {
      const done = (settled: Answered): void => {
        if (!this.#calls.delete(call)) return;
        timer?.cancel();
        resolve(settled);
      };
      if (replies.some(isRedirected)) this.#follow(commands, replies, isOpen, maxRedirections, done);
      else done(replies);
    });
    return promise;
  }

  /** Sends commands again that were redirected, until none is. */
  #follow(
    commands: readonly (readonly string[])[],
    replies: Answered,
    isOpen: () => boolean,
    left: number,
    done: (replies: Answered) => void,
  ): void {
    const settled = [...replies];
    let waiting = 1;
    const arrived = (): void => {
      if (--waiting === 0) done(settled);
    };
    for (const [i, reply] of replies.entries()) {
      const redirection = redirectionOf(reply);
      if (redirection === undefined || left === 0) continue;
      waiting++;
      if (!redirection.isAsk) this.#refresh();
      const command = [commands[i] as readonly string[]];
      this.#exchange(redirection.id, command, redirection.isAsk, isOpen, (again) => {
        this.#follow(command, again, isOpen, left - 1, ([last]) => {
          settled[i] = last as ModelReply;
          arrived();
        });
      });
    }
    arrived();
  }

  /** One round trip. What gets no answer is answered never, or with an error at once. */
  #exchange(
    id: string,
    commands: readonly (readonly string[])[],
    isAsking: boolean,
    isOpen: () => boolean,
    done: (replies: Answered) => void,
  ): void {
    const failed = (): void => done(commands.map(() => new Error("connection error: the connection was lost")));
    const { simulation, random } = this.#model;
    if (this.#isLost(id)) {
      if (random.chance(0.5)) simulation.after(1, () => this.process.run(() => isOpen() && failed(), this));
      return;
    }
    const peer = this.#peerOf(id);
    if (peer === undefined) {
      this.#wedge(id);
      simulation.after(1, () => this.process.run(() => isOpen() && failed(), this));
      return;
    }
    const { server, connection, up, down } = peer;
    const isThrough = () => this.#model.paths.reaches(this.process, server);
    up.send(() => {
      if (!isThrough()) return;
      const answer = (replies: readonly ModelReply[]): void =>
        down.send(() => {
          if (isThrough() && this.#peers.get(id) === peer) this.process.run(() => isOpen() && done(replies), peer);
        });
      server.process.run(() => connection.receive({ commands, isAsking, answer }), connection);
    });
  }

  #peerOf(id: string): Peer | undefined {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const server = this.#model.server(id);
    if (server.process.isDead) return undefined;
    const wire = () => new Wire(this.#model.simulation, this.#model.random, 0.05, 0.3);
    const peer = { server, connection: server.connect(), up: wire(), down: wire() };
    this.#peers.set(id, peer);
    return peer;
  }

  /** Asks any server for what it knows of the cluster. */
  #refresh(): void {
    if (this.#view === undefined || this.#isClosed) return;
    const { simulation, random } = this.#model;
    simulation.after(random.between(1, 20), () => {
      const view = this.#model.viewFor(this.process);
      if (view !== undefined && !this.#isClosed) this.#view = view;
    });
  }
}

/** Replicas of the model are not read from. */
function keyNamed(destination: Extract<Destination, object>): string {
  return "slotOf" in destination ? destination.slotOf : destination.replicaOf;
}

function throwIfFailed(reply: ModelReply | Error | undefined): void {
  if (reply instanceof Error) throw reply;
  if (reply instanceof ErrorReply) throw errorOf(reply);
}

function isRedirected(reply: ModelReply | Error): reply is ErrorReply {
  return reply instanceof ErrorReply && (reply.code === "MOVED" || reply.code === "ASK");
}

function redirectionOf(reply: ModelReply | Error): { id: string; isAsk: boolean } | undefined {
  if (!isRedirected(reply)) return undefined;
  return { id: reply.message.split(" ")[1] as string, isAsk: reply.code === "ASK" };
}

/** The key by which a command is routed. */
function keyOf(command: readonly string[]): string {
  const [name = "", first = ""] = command;
  if (name === "FCALL" || name === "EVAL") return command[3] ?? "";
  return name === "XINFO" ? (command[2] ?? "") : first;
}
