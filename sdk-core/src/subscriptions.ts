import { checkNumber } from "./bounds.ts";
import { Channel, type ChannelOwner } from "./channel/channel.ts";
import { ChannelCore } from "./channel/channel-core.ts";
import { ChannelMap, type Target, toWireChannel } from "./channel/target.ts";
import { FanfareError, fromWireError } from "./error.ts";
import { type Payload, presencePayload } from "./payload.ts";
import type { Requests, WaitOptions } from "./requests.ts";
import type { StatusEvent } from "./status.ts";
import type { Init } from "./wire/codec.ts";
import {
  DeliveryClass,
  ErrorCode,
  GapReason,
  type Message,
  type PresenceEvent,
  type ServerFrame,
  type Subscribe,
  type Subscribed,
  SubscriptionCloseReason,
  type SubscriptionEvent,
  type Welcome,
  type Channel as WireChannel,
} from "./wire/schema.ts";

/** How to join a group. */
export interface JoinOptions extends WaitOptions {
  /** What others see beside the player, as a JSON value or a `typed` one. Turns `roster` on. */
  presence?: unknown;
  /** Keep the list of who is here. Default: whether `presence` is given. */
  roster?: boolean | undefined;
  /** Durable channels: begin with the last n messages. */
  rewind?: number | undefined;
}

interface Entry {
  core: ChannelCore;
  channel: Channel;
}

/** Subscriptions that fit into one `hello`. */
const maxInHello = 256;
/** What they may take of its 64 KiB at the most; the others are opened after `welcome`. */
const maxHelloBytes = 48 * 1024;

/** The channels of a client: what the program wants to receive, and what the server says about it. */
export class Subscriptions {
  readonly #entries = new ChannelMap<Entry>();
  readonly #requests: Requests;
  readonly #owner: ChannelOwner;
  readonly #emit: (event: StatusEvent) => void;
  /** Channels that the server opens by itself and the program has left. */
  readonly #unwanted = new ChannelMap<WireChannel>();

  /** The feature is in force. */
  presence = false;

  constructor(requests: Requests, owner: ChannelOwner, emit: (event: StatusEvent) => void) {
    this.#requests = requests;
    this.#owner = owner;
    this.#emit = emit;
  }

  /** The channel object of a channel that the server opens by itself. */
  pinned(target: Target): Channel {
    return this.#entry(toWireChannel(target)).channel;
  }

  /** Channels that are subscribed, or asked for. */
  *channels(): Generator<Channel, void, undefined> {
    for (const { channel } of this.#entries.values()) yield channel;
  }

  /** Subscribes a channel. Rejects with the server's error. */
  async join(target: Target, options: JoinOptions): Promise<Channel> {
    const wire = toWireChannel(target);
    const { presence, roster = presence !== undefined, rewind, signal, timeoutMs } = options;
    checkNumber("subscribe.rewind", rewind, 10_000);
    const wanted: Init<Subscribe> = {
      channel: wire,
      presence: roster && this.presence,
      ...(presence !== undefined && this.presence && { presenceData: presencePayload(presence) }),
    };
    const entry = this.#entry(wire);
    const { core } = entry;
    const before = core.wanted;
    core.wanted = wanted;
    this.#unwanted.set(wire, undefined);
    try {
      const subscribe = rewind === undefined ? wanted : { ...wanted, rewind };
      await this.#requests.send({ subscribe }, { signal, timeoutMs }, ({ subscribed }) => {
        if (subscribed !== undefined && !core.over) this.#opened(core, subscribed);
      });
      return entry.channel;
    } catch (thrown) {
      core.wanted = before;
      if (core.subscribed === undefined && before === undefined) {
        this.#remove(core);
        core.end(undefined);
        // Who gave up may have been subscribed all the same.
        if (!(thrown instanceof FanfareError && isRefusal(thrown))) this.#unsubscribe(wire, {}).catch(() => {});
      }
      throw thrown;
    }
  }

  async leave(core: ChannelCore, wait: WaitOptions): Promise<void> {
    if (core.over) return;
    if (core.subscribed?.byServer) this.#unwanted.set(core.wire, core.wire);
    this.#remove(core);
    core.end(undefined);
    await this.#unsubscribe(core.wire, wait);
  }

  async showPresence(core: ChannelCore, data: Payload, wait: WaitOptions): Promise<void> {
    await this.#requests.send({ presenceUpdate: { channel: core.wire, data } }, wait);
    if (core.wanted !== undefined) core.wanted = { ...core.wanted, presenceData: data };
  }

  /** The subscriptions for `hello`: those that stand, as many as there is room for. */
  forHello(): Init<Subscribe>[] {
    const standing: Init<Subscribe>[] = [];
    let bytes = 0;
    for (const { core } of this.#entries.values()) {
      if (core.wanted === undefined || core.subscribed === undefined) continue;
      const subscribe = subscribeAgain(core);
      const { binary, text, json } = subscribe.presenceData ?? {};
      bytes += 350 + (binary ?? text ?? json ?? "").length * 3;
      if (standing.length === maxInHello || bytes > maxHelloBytes) break;
      standing.push(subscribe);
    }
    return standing;
  }

  /** What `welcome` says about the subscriptions. */
  welcomed(welcome: Welcome, fresh: boolean): void {
    const confirmed = new Set<ChannelCore>();
    for (const { channel, subscribed, error } of welcome.subscriptions) {
      if (channel === undefined) continue;
      if (subscribed !== undefined) {
        if (this.#unwanted.get(channel) !== undefined) {
          this.#unsubscribe(channel, {}).catch(this.#quietly);
          continue;
        }
        const { core, channel: opened } = this.#entry(channel);
        const before = core.subscribed;
        confirmed.add(core);
        this.#opened(core, subscribed);
        if (before === undefined && subscribed.byServer && channel.group !== undefined) {
          this.#emit({ type: "channel-opened", channel: opened });
        } else if (before !== undefined && fresh && subscribed.gap === undefined && isLive(subscribed)) {
          core.gap({ reason: GapReason.DETACHED, missed: 0 });
        }
      } else {
        const entry = this.#entries.get(channel);
        if (entry !== undefined) this.#closed(entry, SubscriptionCloseReason.PERMISSION, fromWireError(error));
      }
    }
    for (const entry of [...this.#entries.values()]) {
      const { core } = entry;
      if (core.subscribed === undefined || confirmed.has(core)) continue;
      if (core.wanted === undefined) this.#closed(entry, SubscriptionCloseReason.LEFT, undefined);
      else this.#resubscribe(subscribeAgain(core));
    }
  }

  /** A message, a skip, or something that happened to a subscription. */
  onFrame({ message, skip, subscription, presenceEvent }: ServerFrame): void {
    if (message !== undefined) this.#message(message);
    else if (presenceEvent !== undefined) this.#presence(presenceEvent);
    else if (subscription !== undefined) this.#event(subscription);
    else if (skip !== undefined) {
      const core = this.#entries.get(skip.channel)?.core;
      if (core !== undefined && !core.skip(skip)) this.#restart(core);
    }
  }

  /** Every live subscription may have missed something. */
  missed(): void {
    for (const { core } of this.#entries.values()) {
      if (core.subscribed !== undefined && isLive(core.subscribed)) core.gap({ reason: GapReason.DETACHED, missed: 0 });
    }
  }

  /** Ends every channel. */
  close(error: FanfareError | undefined): void {
    for (const { core } of this.#entries.values()) core.end(undefined, error);
  }

  #message(message: Message): void {
    const core = this.#entries.get(message.channel)?.core;
    if (core !== undefined && !core.receive(message)) this.#restart(core);
  }

  #presence(event: PresenceEvent): void {
    const core = this.#entries.get(event.channel)?.core;
    if (core?.wanted?.presence && core.roster.apply(event)) this.#resubscribe(core.wanted);
  }

  #event({ channel, opened, closed, gap }: SubscriptionEvent): void {
    if (channel === undefined) return;
    if (opened !== undefined) {
      this.#unwanted.set(channel, undefined);
      const entry = this.#entry(channel);
      const known = entry.core.subscribed !== undefined;
      this.#opened(entry.core, opened);
      if (!known) this.#emit({ type: "channel-opened", channel: entry.channel });
      return;
    }
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    const { core } = entry;
    if (gap !== undefined) {
      if (gap.to !== undefined) core.position.start(gap.to);
      core.gap(gap);
    } else if (closed !== undefined) {
      if (closed.reason === SubscriptionCloseReason.FAILED && core.wanted !== undefined) {
        this.#resubscribe(core.wanted);
      } else {
        this.#closed(entry, closed.reason, closed.error && fromWireError(closed.error));
      }
    }
  }

  #opened(core: ChannelCore, subscribed: Subscribed): void {
    core.subscribed = subscribed;
    core.position.start(isLive(subscribed) ? undefined : subscribed.position);
    if (subscribed.presence) core.roster.reset();
    if (subscribed.gap !== undefined) core.gap(subscribed.gap);
  }

  #closed(entry: Entry, reason: SubscriptionCloseReason, error: FanfareError | undefined): void {
    const { core, channel } = entry;
    if (channel.target === "broadcast" || "player" in channel.target) {
      core.subscribed = undefined; // the client's own channels stay what they are, and may be opened again
      core.closes.emit({ reason, error }, core.reportThrown);
    } else {
      this.#remove(core);
      core.end({ reason, error }, error);
    }
    this.#emit({ type: "channel-closed", channel, reason, error });
  }

  /** A durable channel goes on from what was received. */
  #restart(core: ChannelCore): void {
    const after = core.position.current;
    if (after !== undefined) this.#resubscribe({ ...(core.wanted ?? { channel: core.wire }), after });
  }

  #resubscribe(subscribe: Init<Subscribe>): void {
    const entry = this.#entries.get(subscribe.channel as WireChannel);
    if (entry === undefined) return;
    this.#requests
      .send({ subscribe }, {}, ({ subscribed }) => {
        if (subscribed !== undefined && !entry.core.over) this.#opened(entry.core, subscribed);
      })
      .catch((thrown: unknown) => {
        if (!entry.core.over) this.#closed(entry, SubscriptionCloseReason.FAILED, FanfareError.from(thrown));
      });
  }

  async #unsubscribe(channel: WireChannel, wait: WaitOptions): Promise<void> {
    try {
      await this.#requests.send({ unsubscribe: { channel } }, wait);
    } catch (thrown) {
      // Not to be subscribed is what was wanted.
      if (!(thrown instanceof FanfareError && thrown.code === ErrorCode.NOT_SUBSCRIBED)) throw thrown;
    }
  }

  readonly #quietly = (thrown: unknown): void =>
    this.#emit({ type: "error", source: "server", error: FanfareError.from(thrown) });

  #entry(wire: WireChannel): Entry {
    const known = this.#entries.get(wire);
    if (known !== undefined) return known;
    const core = new ChannelCore(wire, (source, error) => this.#emit({ type: "error", source, error }));
    const entry = { core, channel: new Channel(core, this.#owner) };
    this.#entries.set(wire, entry);
    return entry;
  }

  #remove(core: ChannelCore): void {
    if (this.#entries.get(core.wire)?.core === core) this.#entries.set(core.wire, undefined);
  }
}

function isLive(subscribed: Subscribed): boolean {
  return subscribed.deliveryClass !== DeliveryClass.DURABLE;
}

/** The request for a subscription that stood before: a durable one goes on from its position. */
function subscribeAgain(core: ChannelCore): Init<Subscribe> {
  const after = core.position.current;
  return after === undefined ? { ...core.wanted } : { ...core.wanted, after };
}

/** The server said no; otherwise nobody knows whether it said yes. */
function isRefusal({ code }: FanfareError): boolean {
  return code !== ErrorCode.CANCELLED && code !== ErrorCode.DEADLINE_EXCEEDED;
}
