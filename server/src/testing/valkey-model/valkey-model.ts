import type { ValkeyConnector } from "../../valkey/valkey-client.ts";
import { Random } from "../random.ts";
import { SimulatedProcess } from "../simulation/simulated-process.ts";
import type { Simulation } from "../simulation/simulation.ts";
import { type ChannelBus, passOn } from "./channel-bus.ts";
import { ClientPaths } from "./client-paths.ts";
import type { ModelClient } from "./model-client.ts";
import { connectorTo } from "./model-connector.ts";
import type { ModelSubscriber } from "./model-subscriber.ts";
import { moveSlot } from "./slot-migration.ts";
import { ClusterView, type ShardView, slotOfKey } from "./slots.ts";
import {
  electionLookMs,
  maxGossipMs,
  maxRejoinMs,
  maxSyncMs,
  minRejoinMs,
  type ValkeyModelOptions,
} from "./valkey-model-options.ts";
import { ValkeyServer } from "./valkey-server.ts";

/** One Valkey, or a cluster of them: its servers, and what can happen to them. */
export class ValkeyModel implements ChannelBus {
  readonly simulation: Simulation;
  readonly random: Random;
  readonly options: ValkeyModelOptions;
  readonly servers = new Map<string, ValkeyServer>();
  /** Something that was acknowledged may be gone, because nobody was left who had it. */
  hasLostData = false;
  /** What is true of the cluster, whoever knows it; undefined outside of one. */
  truth: ClusterView | undefined;
  readonly paths: ClientPaths;
  readonly #clients = new Set<ModelClient | ModelSubscriber>();
  /** Servers without connection to the others. */
  readonly isolated = new Set<string>();
  /** Slots on their way. */
  readonly #moving = new Set<number>();
  /** Servers that are about to be replicas in sync. */
  readonly #syncing = new Set<ValkeyServer>();
  #runs = 0;

  constructor(options: ValkeyModelOptions) {
    const { simulation, shards, replicas } = options;
    this.simulation = simulation;
    this.options = options;
    this.random = simulation.random("valkey");
    this.paths = new ClientPaths(simulation.random("valkey paths"));
    const all = Array.from({ length: Math.max(1, shards) }, (_, shard): ShardView => {
      const [primary = "", ...others] = Array.from({ length: 1 + replicas }, (_, i) => this.#addServer(shard, i).id);
      return { epoch: shard + 1, primary, replicas: others };
    });
    for (const { primary, replicas: ids } of all)
      for (const id of ids) this.#link(this.server(primary), this.server(id));
    if (shards === 0) return;
    this.truth = new ClusterView(1, all);
    for (const server of this.servers.values()) server.learn(this.truth);
  }

  /** Tells runs of the same apart. */
  nextRun(): number {
    return ++this.#runs;
  }

  get isCluster(): boolean {
    return this.truth !== undefined;
  }

  get shardCount(): number {
    return this.truth?.shards.length ?? 1;
  }

  server(id: string): ValkeyServer {
    const server = this.servers.get(id);
    if (server === undefined) throw new RangeError(`there is no server ${id}`);
    return server;
  }

  /** The primary of a shard, as it truly is. */
  primary(shard: number): ValkeyServer {
    const truth = this.truth?.shards[shard]?.primary;
    return truth === undefined ? (this.servers.values().next().value as ValkeyServer) : this.server(truth);
  }

  replicasOf(shard: number): ValkeyServer[] {
    const ids = this.truth?.shards[shard]?.replicas;
    return ids === undefined ? [...this.servers.values()].slice(1) : ids.map((id) => this.server(id));
  }

  shardOfKey(key: string): number {
    return this.truth?.shardOf(slotOfKey(key)) ?? 0;
  }

  /** Connects clients that run in a process, as GLIDE does. */
  connectorFor(process: SimulatedProcess): ValkeyConnector {
    return connectorTo(this, process);
  }

  /** A client has connected. */
  opened<Client extends ModelClient | ModelSubscriber>(client: Client): Client {
    this.#clients.add(client);
    return client;
  }

  clientClosed(client: ModelClient | ModelSubscriber): void {
    this.#clients.delete(client);
  }

  /** The process of clients is dead, and their connections with it. */
  processDied(process: SimulatedProcess): void {
    for (const client of this.#clients) if (client.process === process) client.abandon();
  }

  /** What some server that the process reaches knows of the cluster. */
  viewFor(process: SimulatedProcess): ClusterView | undefined {
    const known = [...this.servers.values()].filter((server) => this.answers(process, server));
    return known[this.random.below(known.length)]?.view;
  }

  /** Clients and subscribers of a process that are open. */
  clientsOf(process: SimulatedProcess): number {
    return [...this.#clients].filter((client) => client.process === process).length;
  }

  /** Ends a server without notice. Whoever is connected to it hears that. */
  kill(server: ValkeyServer): void {
    if (server.process.isDead) return;
    this.options.trace(`${server.label} is killed`);
    server.process.kill();
    server.die();
    for (const other of this.servers.values()) this.#lostConnection(other, server);
    for (const client of this.#clients) client.serverDied(server);
    this.#watch(server);
  }

  /** Starts a killed server again, with nothing in it unless `keepsData`. */
  restart(dead: ValkeyServer, keepsData: boolean): void {
    const server = this.#revive(dead);
    if (keepsData) server.revive(dead);
    this.options.trace(`${server.label} is started again`);
    for (const one of this.servers.values()) this.#gossip(one); // they hear of it, and take it for dead no more
    const shard = this.#shardOf(server);
    const primary = this.primary(shard);
    if (primary.id === server.id) {
      if (!keepsData) this.hasLostData = true;
      for (const replica of this.replicasOf(shard)) this.#sync(server, replica);
      return;
    }
    server.demote();
    this.#sync(primary, server);
  }

  /** A server stands still. */
  freeze(server: ValkeyServer): void {
    if (!server.process.isRunning) return;
    this.options.trace(`${server.label} stands still`);
    server.process.freeze();
    // The others go on writing to it: that is what it reads first when it wakes up.
    this.simulation.after(this.random.between(0, 500), () => server.process.run(() => {}, "cluster"));
    this.#watch(server);
  }

  thaw(server: ValkeyServer): void {
    if (server.process.isDead) return;
    this.options.trace(`${server.label} wakes up`);
    server.process.thaw();
    for (const one of this.servers.values()) this.#gossip(one);
  }

  /** Cuts a server off from all others, or connects it again. Clients still reach it. */
  setIsolated(server: ValkeyServer, isIsolated: boolean): void {
    this.options.trace(`${server.label} is ${isIsolated ? "cut off from" : "connected with"} the others`);
    const { nodeTimeoutMs = 2000 } = this.options;
    if (isIsolated) {
      this.isolated.add(server.id);
      for (const link of this.#linksOf(server)) link.hold();
      this.simulation.after(nodeTimeoutMs, () => {
        if (this.isolated.has(server.id)) server.process.run(() => this.#cutOff(server), "cluster");
      });
      this.#watch(server);
      return;
    }
    this.isolated.delete(server.id);
    // A primary that was in a minority takes no writes yet, so that it hears first whether it was replaced.
    const rejoinMs = Math.min(Math.max(nodeTimeoutMs, minRejoinMs), maxRejoinMs);
    this.simulation.after(rejoinMs, () => {
      if (this.isolated.has(server.id)) return;
      server.process.run(() => {
        server.isCutOff = false;
      }, "cluster");
    });
    for (const one of this.servers.values()) this.#gossip(one);
    for (const link of this.#linksOf(server)) {
      if (!link.replica.process.isDead) link.resume();
      else link.primary.process.run(() => link.primary.dropReplica(link), "cluster");
    }
  }

  /** Hands a shard over to its replica, without loss. */
  failOver(shard: number): void {
    const primary = this.primary(shard);
    const [replica] = this.replicasOf(shard).filter((one) => this.#takesPart(one) && one.isInSync);
    if (replica === undefined || !this.#takesPart(primary)) return;
    this.options.trace(`${primary.label} hands over to ${replica.label}`);
    // The primary holds writes up until the replica has everything.
    primary.process.freeze();
    this.simulation.after(5 + 4 * (this.options.replicationDelayMs ?? 1), () => {
      if (primary.process.isDead) return;
      if (this.#takesPart(replica) && replica.offset === primary.offset) {
        this.#promote(shard, replica);
        primary.learn(this.truth as ClusterView);
        this.#demote(primary);
      }
      primary.process.thaw();
    });
  }

  /** Moves the slot of a key to another shard, key by key, within a time in milliseconds. */
  migrate(slot: number, toShard: number, forMs: number): void {
    const fromShard = this.truth?.shardOf(slot);
    if (fromShard === undefined || fromShard === toShard || this.#moving.has(slot)) return;
    this.#moving.add(slot);
    const [source, target] = [() => this.primary(fromShard), () => this.primary(toShard)];
    const takesPart = (server: ValkeyServer) => this.#takesPart(server);
    this.options.trace(`slot ${slot} moves from ${source().label} to ${target().label}`);
    moveSlot({ simulation: this.simulation, source, target, slot, forMs, takesPart }, () => {
      this.#moving.delete(slot);
      this.truth = (this.truth as ClusterView).withSlot(slot, toShard);
      source().learn(this.truth);
      target().learn(this.truth);
      this.options.trace(`slot ${slot} has moved`);
      for (const server of this.servers.values()) this.#gossip(server);
    });
  }

  /** Whether a client gets an answer from a server. */
  answers(process: SimulatedProcess, server: ValkeyServer): boolean {
    return server.process.isRunning && this.paths.reaches(process, server);
  }

  #addServer(shard: number, index: number): ValkeyServer {
    const id = Buffer.from(Random.named(this.simulation.seed, `server ${shard} ${index}`).bytes(20)).toString("hex");
    const label = `v${shard}${"abc"[index] ?? index}`;
    return this.#start(id, label, this.#process(`v${shard}.${index}`));
  }

  #process(name: string): SimulatedProcess {
    const { simulation, options } = this;
    const run = `${name}.${this.nextRun()}`;
    const skewMs = simulation.random(`${run} clock`).between(-20, 20);
    return new SimulatedProcess({ simulation, name: run, skewMs, onThrown: options.onThrown });
  }

  #start(id: string, label: string, process: SimulatedProcess): ValkeyServer {
    const onPublished = (channel: string, bytes: string): void => passOn(this, server, channel, bytes);
    const server = new ValkeyServer(id, label, process, onPublished, this.options.tampering);
    this.servers.set(id, server);
    return server;
  }

  /** A new process in the place of a dead one. */
  #revive(dead: ValkeyServer): ValkeyServer {
    const server = this.#start(dead.id, dead.label, this.#process(dead.label));
    if (this.truth !== undefined) server.learn(this.truth);
    return server;
  }

  #link(primary: ValkeyServer, replica: ValkeyServer): void {
    primary.addReplica(replica, this.options.replicationDelayMs ?? 1);
  }

  #linksOf(server: ValkeyServer) {
    return [...this.servers.values()]
      .flatMap((one) => [...one.replicaLinks])
      .filter(({ primary, replica }) => primary === server || replica === server);
  }

  /** A server is there, and the others can reach it. */
  #takesPart(server: ValkeyServer): boolean {
    return server.process.isRunning && !this.isolated.has(server.id) && this.servers.get(server.id) === server;
  }

  #shardOf(server: ValkeyServer): number {
    const shards = this.truth?.shards ?? [];
    return Math.max(
      0,
      shards.findIndex(({ primary, replicas }) => primary === server.id || replicas.includes(server.id)),
    );
  }

  /** Brings a server in sync as a replica, when both can. */
  #sync(primary: ValkeyServer, replica: ValkeyServer): void {
    if (this.#syncing.has(replica)) return;
    this.#syncing.add(replica);
    this.simulation.after(this.random.between(50, maxSyncMs), () => {
      this.#syncing.delete(replica);
      const isCurrent = this.servers.get(replica.id) === replica && this.primary(this.#shardOf(replica)) === primary;
      if (replica.process.isDead) return;
      const current = this.primary(this.#shardOf(replica));
      if (!isCurrent || !this.#takesPart(primary) || !this.#takesPart(replica)) {
        if (current !== replica && this.servers.get(replica.id) === replica) this.#sync(current, replica);
        return;
      }
      for (const link of [...primary.replicaLinks]) if (link.replica === replica) primary.dropReplica(link);
      this.#link(primary, replica);
      this.options.trace(`${replica.label} is a replica of ${primary.label}, in sync`);
    });
  }

  /** A server hears that another is gone, because its connection is. */
  #lostConnection(server: ValkeyServer, dead: ValkeyServer): void {
    if (this.isolated.has(server.id) || this.isolated.has(dead.id)) return;
    for (const link of [...server.replicaLinks]) {
      if (link.replica === dead) server.process.run(() => server.dropReplica(link), "cluster");
    }
  }

  #cutOff(server: ValkeyServer): void {
    server.isCutOff = true;
    for (const { id } of this.servers.values()) if (id !== server.id) server.suspects.add(id);
  }

  /** Replaces a primary that is missed for too long. */
  #watch(server: ValkeyServer): void {
    if (this.truth === undefined) return;
    const { nodeTimeoutMs = 2000 } = this.options;
    const look = (): void => {
      if (this.#takesPart(server) || this.servers.get(server.id) !== server) return;
      for (const other of this.servers.values()) {
        if (this.#takesPart(other)) other.process.run(() => other.suspects.add(server.id), "cluster");
      }
      const shard = this.#shardOf(server);
      const truth = this.truth as ClusterView;
      if (truth.shards[shard]?.primary !== server.id) return;
      const voters = truth.shards.filter(({ primary }) => this.#takesPart(this.server(primary))).length;
      const replicas = this.replicasOf(shard).filter((one) => this.#takesPart(one) && one.isInSync);
      const [best] = replicas.sort((a, b) => b.offset - a.offset);
      if (best !== undefined && voters * 2 > truth.shards.length) this.#elect(shard, best, server);
      else this.simulation.after(electionLookMs, look);
    };
    this.simulation.after(nodeTimeoutMs + this.random.between(0, nodeTimeoutMs), look);
  }

  #elect(shard: number, replica: ValkeyServer, former: ValkeyServer): void {
    this.options.trace(`${replica.label} is elected in the place of ${former.label}`);
    this.#promote(shard, replica);
  }

  #promote(shard: number, replica: ValkeyServer): void {
    const former = this.primary(shard);
    this.truth = (this.truth as ClusterView).withPrimary(shard, replica.id);
    for (const link of [...former.replicaLinks]) {
      if (link.replica !== replica) continue;
      link.close();
      if (!this.isolated.has(former.id)) former.process.run(() => former.dropReplica(link), link);
    }
    replica.learn(this.truth);
    replica.promote(former);
    for (const server of this.servers.values()) this.#gossip(server);
  }

  /** A server hears what is true, if it can. */
  #gossip(server: ValkeyServer): void {
    if (this.truth === undefined) return;
    this.simulation.after(this.random.between(1, maxGossipMs), () => {
      if (this.isolated.has(server.id)) return;
      server.process.run(() => this.#learn(server), "cluster");
    });
  }

  #learn(server: ValkeyServer): void {
    const truth = this.truth as ClusterView;
    if (this.servers.get(server.id) !== server || this.isolated.has(server.id)) return;
    server.learn(truth);
    for (const id of server.suspects) if (this.#takesPart(this.server(id))) server.suspects.delete(id);
    const primary = this.primary(this.#shardOf(server));
    if (primary === server) return;
    if (!server.isReplica) this.#demote(server);
    else if (![...primary.replicaLinks].some(({ replica }) => replica === server)) this.#sync(primary, server);
  }

  #demote(server: ValkeyServer): void {
    this.options.trace(`${server.label} hears that it is a primary no more`);
    server.demote();
    this.#sync(this.primary(this.#shardOf(server)), server);
  }
}
