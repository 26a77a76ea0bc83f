import type { OnPublished, ValkeySubscriber } from "../../valkey/valkey-client.ts";
import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import { Wire } from "../simulation/wire.ts";
import type { ChannelListener } from "./published-channels.ts";
import { type ClusterView, slotOfKey } from "./slots.ts";
import type { ValkeyModel } from "./valkey-model.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** How long it takes until subscriptions are back that died with their server, in milliseconds: from, to. As measured with GLIDE. */
const reconciledMs = [18_000, 22_000] as const;
/** The same for those that a server ended that lives, or a subscriber that it cut off. They come back where the client believes the slot to be. */
const resubscribedMs = [50, 3_000] as const;

/** The same for those that a server has redirected. */
const redirectedMs = [1, 50] as const;

/** One connection of a subscriber to one server. */
class Subscription implements ChannelListener {
  readonly server: ValkeyServer;
  readonly #subscriber: ModelSubscriber;
  readonly #wire: Wire;
  #waitingBytes = 0;
  isOpen = true;
  /** Subscribed here. */
  readonly channels = new Set<string>();

  constructor(server: ValkeyServer, subscriber: ModelSubscriber, wire: Wire) {
    this.server = server;
    this.#subscriber = subscriber;
    this.#wire = wire;
  }

  published(channel: string, bytes: string): void {
    const subscriber = this.#subscriber;
    const { model, process } = subscriber;
    const { paths, options } = model;
    if (paths.losesPublished()) return;
    this.#wire.send(() => {
      if (!this.isOpen) return;
      // What is read at once never waits at the server.
      const waits = !process.isRunning || !paths.reaches(process, this.server);
      const free = (): void => {
        if (waits) this.#waitingBytes -= bytes.length;
      };
      const read = (): void => {
        free();
        if (this.isOpen) subscriber.receive(channel, bytes);
      };
      if (waits) this.#waitingBytes += bytes.length;
      if (this.#waitingBytes > (options.outputBufferBytes ?? 32 * 1024 * 1024)) this.#cutOff();
      else paths.pass(process, this.server, () => process.run(read, this), free);
    }, paths.delayMs());
  }

  ended(channels: readonly string[]): void {
    for (const channel of channels) this.channels.delete(channel);
    if (this.isOpen) this.#subscriber.lost(channels, resubscribedMs);
  }

  /** The client closes it. The server does not hear of that while the client does not reach it. */
  close(): void {
    const { model, process } = this.#subscriber;
    this.isOpen = false;
    model.paths.pass(
      process,
      this.server,
      () => this.server.channels.forget(this),
      () => {},
    );
  }

  /** Valkey ends a connection that is not read fast enough, with everything that waits in it. */
  #cutOff(): void {
    if (!this.isOpen) return;
    const { model, process } = this.#subscriber;
    model.options.trace(`${this.server.label} cuts off ${process.name}, which does not read what is published`);
    model.paths.cutOffs++;
    this.isOpen = false;
    this.server.channels.forget(this);
    this.#subscriber.lost([...this.channels], resubscribedMs);
  }
}

/** A subscriber as GLIDE is one: subscriptions that it has lost come back by themselves, late. */
export class ModelSubscriber implements ValkeySubscriber {
  readonly model: ValkeyModel;
  readonly process: SimulatedProcess;
  readonly #onPublished: OnPublished;
  readonly #subscriptions = new Map<string, Subscription>();
  #view: ClusterView | undefined;
  #isClosed = false;

  constructor(model: ValkeyModel, process: SimulatedProcess, onPublished: OnPublished, view: ClusterView | undefined) {
    this.model = model;
    this.process = process;
    this.#onPublished = onPublished;
    this.#view = view;
  }

  /** Subscribes where it believes the channels to be. */
  subscribe(channels: readonly string[]): void {
    for (const channel of channels) {
      const id = this.#view?.primaryOf(slotOfKey(channel)) ?? this.model.primary(0).id;
      const server = this.model.server(id);
      const { simulation, random } = this.model;
      simulation.after(random.between(0.2, 3), () => this.#subscribeAt(server, channel));
    }
  }

  receive(channel: string, bytes: string): void {
    if (!this.#isClosed) this.#onPublished(channel, Buffer.from(bytes, "latin1"));
  }

  /** Subscriptions are gone; they are tried again after a while. `knowsMore`: the client has been told that it was wrong about the cluster. */
  lost(channels: readonly string[], afterMs: readonly [number, number], knowsMore = false): void {
    const { simulation, random } = this.model;
    simulation.after(random.between(...afterMs), () => {
      if (this.#isClosed) return;
      if (knowsMore) this.#view = this.model.viewFor(this.process) ?? this.#view;
      this.subscribe(channels);
    });
  }

  serverDied(server: ValkeyServer): void {
    const subscription = this.#subscriptions.get(server.id);
    if (subscription?.server !== server) return;
    subscription.isOpen = false;
    this.#subscriptions.delete(server.id);
    this.lost([...subscription.channels], reconciledMs, true);
  }

  /** Its process is dead. */
  abandon(): void {
    this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.model.clientClosed(this);
    for (const subscription of this.#subscriptions.values()) subscription.close();
  }

  #subscribeAt(server: ValkeyServer, channel: string): void {
    if (this.#isClosed) return;
    const isThere = !server.process.isDead && this.model.paths.reaches(this.process, server);
    const isRight = server.servesChannelsOf(slotOfKey(channel));
    if (!isThere || !isRight) return this.lost([channel], isThere ? redirectedMs : [1_000, 5_000], true);
    let subscription = this.#subscriptions.get(server.id);
    if (subscription === undefined || !subscription.isOpen) {
      const wire = new Wire(this.model.simulation, this.model.random, 0.05, 0.3);
      subscription = new Subscription(server, this, wire);
      this.#subscriptions.set(server.id, subscription);
    }
    const to = subscription;
    server.process.run(() => {
      if (!to.isOpen) return;
      to.channels.add(channel);
      server.channels.subscribe(channel, to);
    }, to);
  }
}
