import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import { CommandError, type ModelCommand } from "./commands/command.ts";
import { hashCommands } from "./commands/hash-commands.ts";
import { keyCommands } from "./commands/key-commands.ts";
import { sortedSetCommands } from "./commands/sorted-set-commands.ts";
import { streamCommands } from "./commands/stream-commands.ts";
import { Database, type Effect } from "./database.ts";
import { LuaFunctions } from "./lua-functions.ts";
import { PublishedChannels } from "./published-channels.ts";
import { ReplicaLink } from "./replica-link.ts";
import { ErrorReply, type ModelReply } from "./reply.ts";
import { ServerConnection } from "./server-connection.ts";
import { type ClusterView, slotOfKey } from "./slots.ts";
import type { Tampering } from "./valkey-model-options.ts";

const commands: ReadonlyMap<string, ModelCommand> = new Map(
  Object.entries({ ...keyCommands, ...hashCommands, ...streamCommands, ...sortedSetCommands }),
);

const readOnly = new ErrorReply("READONLY", "You can't write against a read only replica.");
const clusterDown = new ErrorReply("CLUSTERDOWN", "The cluster is down");
const crossSlot = new ErrorReply("CROSSSLOT", "Keys in request don't hash to the same slot");
const tryAgain = new ErrorReply("TRYAGAIN", "Multiple keys request during rehashing of slot");
const unblocked = new ErrorReply("UNBLOCKED", "force unblock from blocking operation, instance state changed");

/** One `valkey-server`: its keys, functions, channels and replicas. */
export class ValkeyServer {
  readonly id: string;
  /** For people. */
  readonly label: string;
  readonly process: SimulatedProcess;
  readonly database: Database;
  readonly channels = new PublishedChannels();
  readonly #functions: LuaFunctions;
  readonly #tampering: Tampering;
  readonly #connections = new Set<ServerConnection>();
  readonly #links = new Set<ReplicaLink>();
  #isReplica = false;
  /** How much was changed here, or at its primary, in all. */
  offset = 0;
  #effects: Effect[] = [];
  #view: ClusterView | undefined;
  /** Told what is published here: it goes to the other servers of the shard, over the bus of the cluster. */
  readonly #onPublished: (channel: string, bytes: string) => void;
  /** As a replica: it has had all that its primary had. One that never had is no successor. */
  isInSync = false;
  /** It has not heard of most primaries for too long. */
  isCutOff = false;
  /** Servers that it takes for dead. */
  readonly suspects = new Set<string>();
  /** What it answers to `CLUSTER NODES`, and what that was made of. */
  #nodesText: { readonly view: ClusterView; readonly suspects: string; readonly text: string } | undefined;
  /** Slots that are on their way, and the id of the server at the other end. */
  readonly migrating = new Map<number, string>();
  readonly importing = new Map<number, string>();

  constructor(
    id: string,
    label: string,
    process: SimulatedProcess,
    onPublished: (channel: string, bytes: string) => void,
    tampering: Tampering = {},
  ) {
    this.id = id;
    this.#onPublished = onPublished;
    this.#tampering = tampering;
    this.label = label;
    this.process = process;
    this.database = new Database({
      nowMs: () => Math.floor(process.clock.nowMs()),
      onEffect: (effect) => this.#effects.push(effect),
    });
    this.#functions = new LuaFunctions((command) => this.#executePlain(command));
  }

  /** What it knows of its cluster; undefined outside of one. */
  get view(): ClusterView | undefined {
    return this.#view;
  }

  /** Hears of a change of its cluster. Whoever changes, subscriptions of slots that have another primary now end, at replicas too. */
  learn(view: ClusterView): void {
    const before = this.#view;
    this.#view = view;
    if (before === undefined || before === view) return;
    const isMoved = (slot: number) => before.primaryOf(slot) !== view.primaryOf(slot);
    this.channels.drop(this.channels.names.filter((name) => isMoved(slotOfKey(name))));
  }

  /** Whether it takes part in publishing to a slot: it is the slot's primary, or a replica of that. */
  servesChannelsOf(slot: number): boolean {
    const shard = this.#view?.shards[this.#view.shardOf(slot)];
    if (shard === undefined) return true;
    return this.#isReplica ? shard.replicas.includes(this.id) : shard.primary === this.id;
  }

  get isReplica(): boolean {
    return this.#isReplica;
  }

  /** Its replicas have everything that it has. */
  get isReplicated(): boolean {
    return [...this.#links].every(({ replica }) => replica.offset === this.offset);
  }

  get replicaLinks(): ReadonlySet<ReplicaLink> {
    return this.#links;
  }

  connect(): ServerConnection {
    const connection = new ServerConnection(this);
    this.#connections.add(connection);
    return connection;
  }

  forget(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  /** Carries one command out and sends what it has changed to the replicas. */
  execute(command: readonly string[], isAsking = false): ModelReply {
    const carryOut = (one: readonly string[]): ModelReply => this.#executePlain(one);
    const reply =
      this.#redirection(command, isAsking) ?? this.#tampering.answer?.(command, carryOut) ?? carryOut(command);
    this.#replicate();
    return reply;
  }

  /** How many replicas have confirmed what was changed up to there. */
  replicasAt(offset: number): number {
    if (this.#tampering.waitLies) return this.#links.size;
    return [...this.#links].filter(({ acknowledged }) => acknowledged >= offset).length;
  }

  askReplicas(): void {
    for (const link of this.#links) link.ask();
  }

  confirmed(link: ReplicaLink, offset: number): void {
    link.acknowledged = Math.max(link.acknowledged, offset);
    for (const connection of this.#connections) connection.acknowledged();
  }

  /** Takes over everything that it has and goes on as its replica. */
  addReplica(replica: ValkeyServer, delayMs: number): ReplicaLink {
    replica.#become(true);
    replica.database.copyFrom(this.database);
    replica.#functions.clear();
    replica.#loadFrom(this);
    replica.offset = this.offset;
    replica.isInSync = true;
    const link = new ReplicaLink(this, replica, delayMs);
    this.#links.add(link);
    return link;
  }

  dropReplica(link: ReplicaLink): void {
    link.close();
    this.#links.delete(link);
  }

  applyEffects(effects: readonly Effect[], offset: number): void {
    for (const effect of effects) this.#executePlain(effect);
    this.#effects = [];
    this.offset = offset;
  }

  /** Goes on as a primary, with what it has and, as replicas hear of it, with the slots that were on their way. */
  promote({ migrating, importing }: ValkeyServer): void {
    for (const [slot, id] of migrating) this.migrating.set(slot, id);
    for (const [slot, id] of importing) this.importing.set(slot, id);
    this.#become(false);
  }

  /** Is no primary any more: what waits is told so, and nobody is served until it is a replica. */
  demote(): void {
    for (const link of this.#links) this.dropReplica(link);
    this.migrating.clear();
    this.importing.clear();
    this.#become(true);
    this.isInSync = false;
    for (const connection of this.#connections) connection.unblock(unblocked);
  }

  /** Begins with what the process before it had, as after a start with a file. */
  revive(former: ValkeyServer): void {
    this.database.copyFrom(former.database);
    this.#loadFrom(former);
    this.offset = former.offset;
  }

  /**
   * Moves a key to another primary. Replicas have it at once: what Valkey loses when a primary dies between the two is a matter of moving slots, and none
   * of what uses it.
   */
  moveKey(key: string, target: ValkeyServer): void {
    const entry = this.database.copyOf(key);
    if (entry === undefined) return;
    for (const { database } of target.#withReplicas) database.put(key, entry);
    for (const { database } of this.#withReplicas) database.remove(key);
  }

  /** Ends every connection, because the process has. */
  die(): void {
    for (const connection of this.#connections) connection.close();
    for (const link of this.#links) this.dropReplica(link);
    this.channels.close();
  }

  #loadFrom(other: ValkeyServer): void {
    for (const source of other.#functions.sources.values()) this.#functions.load(source, true);
  }

  get #withReplicas(): readonly ValkeyServer[] {
    return [this, ...[...this.#links].map(({ replica }) => replica)];
  }

  #become(isReplica: boolean): void {
    this.#isReplica = isReplica;
    this.database.isReplica = isReplica;
  }

  #replicate(): void {
    if (this.#effects.length === 0) return;
    const effects = this.#effects;
    this.#effects = [];
    this.offset += effects.length;
    for (const link of this.#links) link.send(effects, this.offset);
  }

  /** Where else a command belongs; undefined: it is served here. */
  #redirection(command: readonly string[], isAsking: boolean): ModelReply | undefined {
    const [name = ""] = command;
    const keys = keysOf(name, command);
    if (this.view !== undefined && keys.length > 0) {
      const elsewhere = this.#slotElsewhere(this.view, name, keys, isAsking);
      if (elsewhere !== undefined) return elsewhere;
    }
    return this.#isReplica && isWrite(name) ? readOnly : undefined;
  }

  #slotElsewhere(view: ClusterView, name: string, keys: readonly string[], isAsking: boolean): ModelReply | undefined {
    const slot = slotOfKey(keys[0] as string);
    if (keys.some((key) => slotOfKey(key) !== slot)) return crossSlot;
    if (this.isCutOff) return clusterDown;
    const owner = view.primaryOf(slot);
    const isHere = owner === this.id && !this.#isReplica;
    if (name === "SPUBLISH" && this.servesChannelsOf(slot)) return undefined;
    const source = this.importing.get(slot);
    if (!isHere && !(source !== undefined && isAsking)) return new ErrorReply("MOVED", `${slot} ${owner}`);
    if (name === "SPUBLISH") return undefined;
    const missing = keys.filter((key) => !this.database.has(key)).length;
    if (missing === 0) return undefined;
    if (!isHere) return keys.length > 1 ? tryAgain : undefined;
    const target = this.migrating.get(slot);
    if (target === undefined) return undefined;
    return missing < keys.length ? tryAgain : new ErrorReply("ASK", `${slot} ${target}`);
  }

  #executePlain(command: readonly string[]): ModelReply {
    const name = (command[0] ?? "").toUpperCase();
    const args = command.slice(1);
    const known = commands.get(name);
    try {
      if (known !== undefined) return known.run(this.database, args);
      return this.#ofServer(name, args);
    } catch (reason) {
      if (reason instanceof CommandError) return reason.reply;
      throw reason;
    }
  }

  #ofServer(name: string, args: readonly string[]): ModelReply {
    switch (name) {
      case "PING":
        return "PONG";
      case "TIME": {
        const us = Math.floor(this.process.clock.nowMs() * 1000);
        return [`${Math.floor(us / 1_000_000)}`, `${us % 1_000_000}`];
      }
      case "ROLE":
        return this.#role();
      case "INFO":
        return this.#info();
      case "CLUSTER":
        return this.#cluster(args);
      case "FUNCTION":
        return this.#function(args);
      case "FCALL":
      case "EVAL": {
        const count = Number(args[1]);
        const [keys, rest] = [args.slice(2, 2 + count), args.slice(2 + count)];
        if (name === "FCALL") return this.#functions.call(args[0] ?? "", keys, rest);
        return this.#functions.evaluate(args[0] ?? "", keys, rest);
      }
      case "SPUBLISH":
        this.#onPublished(args[0] ?? "", args[1] ?? "");
        return this.channels.publish(args[0] ?? "", args[1] ?? "");
      case "PUBLISH":
        return this.channels.publish(args[0] ?? "", args[1] ?? "");
      default:
        throw new RangeError(`the model of Valkey does not know ${name}`);
    }
  }

  #role(): ModelReply {
    if (this.#isReplica) return ["slave", "127.0.0.1", 0, "connected", this.offset];
    const replicas = [...this.#links].map(({ replica, acknowledged }) => ["127.0.0.1", replica.id, `${acknowledged}`]);
    return ["master", this.offset, replicas];
  }

  #info(): string {
    const lines = [
      "# Replication",
      `role:${this.#isReplica ? "slave" : "master"}`,
      `connected_slaves:${this.#links.size}`,
    ];
    for (const [i, { acknowledged }] of [...this.#links].entries()) {
      lines.push(`slave${i}:ip=127.0.0.1,port=0,state=online,offset=${acknowledged},lag=0`);
    }
    return `${lines.join("\r\n")}\r\n`;
  }

  #cluster([what = ""]: readonly string[]): ModelReply {
    const { view } = this;
    if (view === undefined) return new ErrorReply("ERR", "This instance has cluster support disabled");
    if (what.toUpperCase() === "MYID") return this.id;
    if (what.toUpperCase() === "NODES") return this.#clusterNodes(view);
    if (what.toUpperCase() !== "SLOTS") throw new RangeError(`the model of Valkey does not know CLUSTER ${what}`);
    return [...view.ranges()].map(([first, last, index]) => {
      const { primary, replicas } = view.shards[index] as ClusterView["shards"][number];
      return [first, last, ...[primary, ...replicas].map((id) => ["127.0.0.1", 0, id, []])];
    });
  }

  /** A line a server: id, address, flags, its primary, two times, epoch, link, and the ranges of its slots. */
  #clusterNodes(view: ClusterView): string {
    const suspects = [...this.suspects].join();
    const known = this.#nodesText;
    if (known?.view === view && known.suspects === suspects) return known.text;
    const text = this.#nodesTextOf(view);
    this.#nodesText = { view, suspects, text };
    return text;
  }

  #nodesTextOf(view: ClusterView): string {
    const ranges = [...view.ranges()];
    const lines = view.shards.flatMap(({ primary, replicas, epoch }, index) =>
      [primary, ...replicas].map((id) => {
        const flags = [id === this.id ? "myself" : "", id === primary ? "master" : "slave"];
        if (this.suspects.has(id)) flags.push("fail");
        const own = id === primary ? ranges.filter(([, , shard]) => shard === index) : [];
        const slots = own.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
        const to = id === primary ? "-" : primary;
        const link = this.suspects.has(id) ? "disconnected" : "connected";
        return [id, "127.0.0.1:0@0", flags.filter(Boolean).join(","), to, "0", "0", `${epoch}`, link, ...slots].join(
          " ",
        );
      }),
    );
    return `${lines.join("\n")}\n`;
  }

  #function([what = "", ...args]: readonly string[]): ModelReply {
    if (what.toUpperCase() !== "LOAD") throw new RangeError(`the model of Valkey does not know FUNCTION ${what}`);
    const replaces = args[0]?.toUpperCase() === "REPLACE";
    const source = args[replaces ? 1 : 0] ?? "";
    const reply = this.#functions.load(source, replaces);
    if (!(reply instanceof ErrorReply)) this.database.changed("FUNCTION", "LOAD", "REPLACE", source);
    return reply;
  }
}

function keysOf(name: string, command: readonly string[]): readonly string[] {
  if (name === "FCALL" || name === "EVAL") return command.slice(3, 3 + Number(command[2]));
  if (name === "SPUBLISH") return command.slice(1, 2);
  return commands.get(name.toUpperCase())?.keys(command.slice(1)) ?? [];
}

/** What a replica refuses; of functions none here is registered as one that only reads. */
function isWrite(name: string): boolean {
  return name === "FCALL" || name === "FUNCTION" || (commands.get(name.toUpperCase())?.isWrite ?? false);
}
