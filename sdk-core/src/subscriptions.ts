import { Channel, type ChannelOwner } from "./channel/channel.ts";
import { ChannelCore } from "./channel/channel-core.ts";
import { type StartFrom, toStart } from "./channel/start.ts";
import { ChannelMap, type Target, toWireChannel } from "./channel/target.ts";
import { FanfareError, fromWireError } from "./error.ts";
import { type Payload, presencePayload } from "./payload.ts";
import type { Clock } from "./ports.ts";
import type { Requests, WaitOptions } from "./requests.ts";
import type { StatusEvent } from "./status.ts";
import type { Init } from "./wire/codec.ts";
import {
  ErrorCode,
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
  /**
   * Durable channels: where to begin. Default: where this client is, in a channel that it receives already; otherwise `cursor`. Over
   * reconnects it goes on from where it is.
   */
  from?: StartFrom | undefined;
}

interface Entry {
  core: ChannelCore;
  channel: Channel;
  /** Calls of `join` without an answer. */
  joins: number;
  /** One of them says where to begin. */
  asksStart: boolean;
}

/** Subscriptions that fit into one `hello`. */
const maxInHello = 256;
/** What they may take of its 64 KiB at the most; the others are opened after `welcome`. */
const maxHelloBytes = 48 * 1024;
/** After which a subscription that could not be taken up again is tried once more, in milliseconds. */
const retryMs = 1000;

/** The channels of a client: what the program wants to receive, and what the server says about it. */
export class Subscriptions {
  readonly #entries = new ChannelMap<Entry>();
  readonly #requests: Requests;
  readonly #owner: ChannelOwner;
  readonly #clock: Clock;
  readonly #emit: (event: StatusEvent) => void;
  /** Channels that the server opens by itself and the program has left. */
  readonly #unwanted = new ChannelMap<WireChannel>();
  /** What there was at the last `hello`. */
  #greeted = new Set<ChannelCore>();

  /** The feature is in force. */
  presence = false;

  constructor(requests: Requests, owner: ChannelOwner, clock: Clock, emit: (event: StatusEvent) => void) {
    this.#requests = requests;
    this.#owner = owner;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** The channel object of a channel that the server opens by itself. */
  pinned(target: Target): Channel {
    return this.#entry(toWireChannel(target)).channel;
  }

  /** Channels that are subscribed. */
  get channels(): Channel[] {
    return Array.from(this.#entries.values(), ({ channel }) => channel).filter(({ subscribed }) => subscribed);
  }

  /** Subscribes a channel. Rejects with the server's error; with CANCELLED if it was left meanwhile. */
  async join(target: Target, options: JoinOptions): Promise<Channel> {
    const wire = toWireChannel(target);
    const { presence, roster = presence !== undefined, from, signal, timeoutMs } = options;
    const start = toStart(from);
    const wanted: Init<Subscribe> = {
      channel: wire,
      presence: roster && this.presence,
      ...(presence !== undefined && this.presence && { presenceData: presencePayload(presence) }),
    };
    const entry = this.#entry(wire);
    const { core } = entry;
    const before = core.wanted;
    core.wanted = wanted;
    entry.joins++;
    entry.asksStart ||= from !== undefined;
    this.#unwanted.set(wire, undefined);
    try {
      const subscribe = from === undefined ? subscribeAgain(core) : { ...wanted, ...start };
      await this.#requests.send({ subscribe }, { signal, timeoutMs }, ({ subscribed }) => {
        if (subscribed !== undefined) this.#opened(core, subscribed, from !== undefined);
      });
    } catch (thrown) {
      if (core.wanted === wanted) core.wanted = before;
      if (core.subscribed === undefined && entry.joins === 1 && !core.over) {
        // Nobody else waits for it. Of a channel that was left another join may stand by now.
        this.#remove(core);
        core.end(undefined);
        // Who gave up may have been subscribed all the same.
        if (!(thrown instanceof FanfareError && isRefusal(thrown))) this.#unsubscribe(wire, {}).catch(() => {});
      }
      throw thrown;
    } finally {
      entry.joins--;
    }
    if (core.over) throw wasLeft();
    return entry.channel;
  }

  async leave(core: ChannelCore, wait: WaitOptions): Promise<void> {
    if (core.over) return;
    if (core.subscribed?.byServer) this.#unwanted.set(core.wire, core.wire);
    this.#remove(core);
    core.end(undefined);
    await this.#unsubscribe(core.wire, wait);
  }

  async showPresence(core: ChannelCore, data: Payload, wait: WaitOptions): Promise<void> {
    let greeted: unknown;
    do {
      if (core.over) throw wasLeft();
      greeted = this.#greeted;
      await this.#requests.send({ presenceUpdate: { channel: core.wire, data } }, wait);
      if (core.wanted !== undefined) core.wanted = { ...core.wanted, presenceData: data };
      // A `hello` that went out meanwhile says what was shown before.
    } while (greeted !== this.#greeted);
  }

  /**
   * The subscriptions for `hello`: those that stand, as many as there is room for, those with a position before others. In a hand-over also those that are
   * asked for on the other connection: they stand on both, or on neither.
   */
  forHello(handOver: boolean): Init<Subscribe>[] {
    const standing: Init<Subscribe>[] = [];
    let bytes = 0;
    const entries = [...this.#entries.values()].sort((a, b) => +a.core.isLive - +b.core.isLive);
    this.#greeted = new Set(entries.map(({ core }) => core));
    for (const { core, joins, asksStart } of entries) {
      const { wanted, isLive } = core;
      if (core.subscribed ? !wanted && isLive : !handOver || !joins || asksStart) continue;
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
        // It was left after `hello`; that is said behind this, and if it was joined again, that too.
        const known = this.#entries.get(channel)?.core;
        if (known ? !known.subscribed && !this.#greeted.has(known) : !subscribed.byServer) continue;
        const { core, channel: opened } = this.#entry(channel);
        const before = core.subscribed;
        confirmed.add(core);
        this.#opened(core, subscribed);
        if (before === undefined && subscribed.byServer && channel.group !== undefined) {
          this.#emit({ type: "channel-opened", channel: opened });
        } else if (before && fresh && !subscribed.gap) core.missed();
      } else {
        const entry = this.#entries.get(channel);
        const reason = fromWireError(error);
        // What may be right in a moment is asked for again, below; what does not stand yet has an answer of its own.
        if (entry?.core.subscribed !== undefined && !reason.retryable)
          this.#closed(entry, SubscriptionCloseReason.PERMISSION, reason);
      }
    }
    for (const entry of [...this.#entries.values()]) {
      const { core } = entry;
      if (!core.subscribed || confirmed.has(core)) continue;
      if (core.wanted === undefined && core.isLive) this.#closed(entry, SubscriptionCloseReason.LEFT, undefined);
      else this.#restart(core, true);
    }
  }

  /** A message, a skip, or something that happened to a subscription. */
  onFrame({ message, skip, subscription, presenceEvent }: ServerFrame): void {
    if (presenceEvent !== undefined) this.#presence(presenceEvent);
    else if (subscription !== undefined) this.#event(subscription);
    else {
      const core = this.#entries.get((message ?? skip)?.channel)?.core;
      // What comes of a channel that is not subscribed is of a former subscription, left a moment ago.
      if (core?.subscribed === undefined) return;
      if (message !== undefined ? !core.receive(message) : skip && !core.skip(skip)) this.#restart(core);
    }
  }

  /** Every live subscription may have missed something. */
  missed(): void {
    for (const { core } of this.#entries.values()) core.missed();
  }

  /** Ends every channel. */
  close(error: FanfareError | undefined): void {
    for (const { core } of this.#entries.values()) core.end(undefined, error);
  }

  #presence(event: PresenceEvent): void {
    const core = this.#entries.get(event.channel)?.core;
    if (core?.wanted?.presence && core.roster.apply(event)) this.#restart(core);
  }

  #event({ channel, opened, closed, gap, caughtUp }: SubscriptionEvent): void {
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
    if (entry?.core.subscribed === undefined) return;
    const { core } = entry;
    if (gap !== undefined) {
      // While the log is about to be read anew, the answer to that says where it goes on.
      if (gap.to !== undefined && !core.position.stopped) core.position.start(gap.to);
      core.gap(gap);
    } else if (caughtUp?.position !== undefined) {
      core.caughtUp(caughtUp.position);
    } else if (closed !== undefined) {
      if (closed.reason === SubscriptionCloseReason.FAILED) this.#restart(core, true);
      else this.#closed(entry, closed.reason, closed.error && fromWireError(closed.error));
    }
  }

  #opened(core: ChannelCore, subscribed: Subscribed, asked = false): void {
    if (!core.over && !core.opened(subscribed, asked)) this.#restart(core);
  }

  #closed(entry: Entry, reason: SubscriptionCloseReason, error: FanfareError | undefined): void {
    const { core, channel } = entry;
    if (core.wire.group === undefined || entry.joins > 0) {
      core.subscribed = undefined; // the client's own channels, and what is asked for, stay what they are, and may be opened again
      core.position.start(undefined);
      core.closes.emit({ reason, error }, core.reportThrown);
    } else {
      this.#remove(core);
      core.end({ reason, error }, error);
    }
    this.#emit({ type: "channel-closed", channel, reason, error });
  }

  /** Subscribes again; a durable channel goes on from what was received. `missed`: the subscription did not stand meanwhile. */
  readonly #restart = (core: ChannelCore, missed = false): void => {
    const entry = this.#entries.get(core.wire);
    if (entry?.core !== core || core.subscribed === undefined) return;
    this.#requests
      .send({ subscribe: subscribeAgain(core) }, {}, ({ subscribed }) => {
        if (subscribed === undefined) return;
        this.#opened(core, subscribed);
        if (missed) core.missed();
      })
      .catch((thrown: unknown) => {
        const error = FanfareError.from(thrown);
        if (core.over) return;
        if (!error.retryable) return this.#closed(entry, SubscriptionCloseReason.FAILED, error);
        this.#quietly(error);
        this.#clock.setTimer(Math.max(retryMs, error.retryAfterMs), () => this.#restart(core, missed));
      });
  };

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
    const report = (source: "payload" | "callback", error: FanfareError) =>
      this.#emit({ type: "error", source, error });
    const core = new ChannelCore(wire, report, () => this.#clock.now(), this.#restart);
    const entry = { core, channel: new Channel(core, this.#owner), joins: 0, asksStart: false };
    this.#entries.set(wire, entry);
    return entry;
  }

  #remove(core: ChannelCore): void {
    if (this.#entries.get(core.wire)?.core === core) this.#entries.set(core.wire, undefined);
  }
}

/** The request for a subscription that stood before: a durable one goes on from its position. */
function subscribeAgain({ wire, wanted = { channel: wire }, position }: ChannelCore): Init<Subscribe> {
  return position.current === undefined ? wanted : { ...wanted, after: position.current };
}

function wasLeft(): FanfareError {
  return new FanfareError(ErrorCode.CANCELLED, "the channel was left");
}

/** The server said no; otherwise nobody knows whether it said yes. */
function isRefusal({ code }: FanfareError): boolean {
  return code !== ErrorCode.CANCELLED && code !== ErrorCode.DEADLINE_EXCEEDED;
}
