import { create, toJson } from "@bufbuild/protobuf";
import {
  type Channel,
  ChannelSchema,
  DeliveryClass,
  type Gap,
  GapReason,
  GapSchema,
  type Message,
  type Position,
  type PresenceEvent,
  type Skip,
  type Subscribe,
  type Subscribed,
  SubscribedSchema,
  SubscribeSchema,
  SubscriptionCloseReason,
  type SubscriptionEvent,
  type Welcome,
} from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import { isOfTheMoment } from "./failure.ts";
import { LogPosition } from "./log-position.ts";
import { Roster, type RosterChange } from "./roster.ts";
import { Seen } from "./seen.ts";

/** What an application hears of its channels. */
export interface ChannelEvents {
  received(message: Message, position: Position | undefined): void;
  gap(channel: Channel, gap: Gap): void;
  opened(channel: Channel): void;
  closed(channel: Channel, reason: number): void;
  caughtUp(channel: Channel, position: Position): void;
  presence(channel: Channel, change: RosterChange | "counts" | "synced", roster: Roster): void;
  /** Everything after the position has to be asked for. */
  resubscribe(subscribe: Subscribe): void;
}

/** One channel, as the session has it. */
export interface Subscription {
  readonly channel: Channel;
  /** What the application asked for. */
  wanted: Subscribe | undefined;
  subscribed: Subscribed | undefined;
  position: LogPosition | undefined;
  /** The server could not go on with it, and is asked for it again. */
  isBroken: boolean;
  readonly roster: Roster;
}

/** The channels of a session: sections 10, 12 and 14 of the protocol. */
export class Subscriptions {
  readonly #breaks: ClientBreaks;
  readonly #events: ChannelEvents;
  readonly #all = new Map<string, Subscription>();
  readonly #seen: Seen;
  /** The feature is in force. */
  durable = false;

  constructor(events: ChannelEvents, breaks: ClientBreaks) {
    this.#events = events;
    this.#breaks = breaks;
    this.#seen = new Seen(breaks);
  }

  get(channel: Channel | undefined): Subscription | undefined {
    return this.#all.get(nameOf(channel));
  }

  /** The application wants a channel. */
  want(subscribe: Subscribe): Subscription {
    const one = this.#at(subscribe.channel as Channel);
    one.wanted = create(SubscribeSchema, { ...subscribe, start: { case: undefined } });
    return one;
  }

  /** The application, or the server, wants it no more. */
  drop(channel: Channel): void {
    const one = this.get(channel);
    if (one !== undefined && this.#breaks.has("left-groups-named")) one.subscribed = undefined;
    else this.#all.delete(nameOf(channel));
  }

  /** What `hello` names. */
  forHello(): Subscribe[] {
    return [...this.#all.values()].flatMap((one) => (one.wanted === undefined ? [] : this.again(one)));
  }

  /** The request that goes on where the client is. */
  again({ channel, wanted, position }: Subscription): Subscribe {
    const subscribe = create(SubscribeSchema, { ...(wanted ?? { channel }) });
    const isLost = this.#breaks.has("positions-forgotten");
    const isUntouched = this.#breaks.has("untouched-positions-forgotten") && position?.moved === false;
    if (position === undefined || isLost || isUntouched) return subscribe;
    const value = this.#breaks.has("received-counts-as-handed-over") ? position.received : position.current;
    const offset = this.#breaks.has("positions-of-32-bits") ? BigInt.asUintN(32, value.offset) : value.offset;
    subscribe.start = { case: "after", value: { ...value, offset } };
    return subscribe;
  }

  /** The session is another one. */
  forget(): void {
    this.#seen.clear();
  }

  /** `welcome.subscriptions` is the whole truth. */
  welcomed({ subscriptions }: Welcome): void {
    if (this.#breaks.has("seen-forgotten-by-reconnect")) this.#seen.clear();
    const confirmed = new Set<string>();
    for (const { channel, result } of subscriptions) {
      if (channel === undefined) continue;
      if (result.case === "error" && isOfTheMoment(result.value.code) && this.#breaksDown(this.get(channel))) {
        confirmed.add(nameOf(channel));
      }
      if (result.case !== "subscribed") continue;
      confirmed.add(nameOf(channel));
      const isNew = this.get(channel)?.subscribed === undefined;
      this.opened(channel, result.value, false);
      if (isNew && result.value.byServer && channel.kind.case === "group") this.#events.opened(channel);
    }
    for (const [name, one] of [...this.#all]) {
      if (confirmed.has(name) || this.#breaks.has("old-subscriptions-kept")) continue;
      if (one.subscribed !== undefined) this.#all.delete(name);
    }
    if (this.#breaks.has("broadcast-taken-for-granted")) {
      const channel = create(ChannelSchema, { kind: { case: "broadcast", value: true } });
      this.#at(channel).subscribed ??= create(SubscribedSchema, { deliveryClass: DeliveryClass.LIVE });
    }
  }

  /** Asks once more for what the server could not go on with. */
  askAgain(channel: Channel): void {
    const one = this.get(channel);
    if (one?.isBroken) this.#resubscribe(one);
  }

  /** A subscription that is wanted does not stand any more, and is asked for again. False: it is over. */
  #breaksDown(one: Subscription | undefined): boolean {
    const isKept = one?.wanted !== undefined || one?.position !== undefined;
    if (one === undefined || !isKept || this.#breaks.has("failed-subscriptions-given-up")) return false;
    one.subscribed = undefined;
    one.isBroken = true;
    this.#resubscribe(one);
    return true;
  }

  /** Every live subscription may have missed something. */
  missed(): void {
    for (const { channel, position, subscribed } of this.#all.values()) {
      if (subscribed === undefined || position !== undefined) continue;
      this.#tell(channel, create(GapSchema, { reason: GapReason.DETACHED }));
    }
  }

  /** The server says that a channel is subscribed. `restarts`: the application has said where it begins. */
  opened(channel: Channel, subscribed: Subscribed, restarts: boolean): void {
    const one = this.#at(channel);
    one.subscribed = subscribed;
    const { position, deliveryClass, gap, presence } = subscribed;
    const isDurable = this.durable && deliveryClass === DeliveryClass.DURABLE && position !== undefined;
    const known = one.position?.current;
    const isBack = restarts && known?.epoch === position?.epoch && (known?.offset ?? 0n) > (position?.offset ?? 0n);
    if (isBack && !this.#breaks.has("seen-kept-when-going-back")) this.#seen.forget(nameOf(channel));
    // Where nothing says otherwise, what a former connection has brought meanwhile counts.
    const isAhead = known !== undefined && known.epoch === position?.epoch && known.offset >= position.offset;
    if (!isDurable) one.position = undefined;
    else if (!isAhead || restarts || gap !== undefined || one.position?.stopped) {
      one.position = new LogPosition(position, this.#breaks);
    }
    if (presence) one.roster.forget();
    if (one.isBroken && !isDurable && gap === undefined) {
      this.#tell(channel, create(GapSchema, { reason: GapReason.DETACHED }));
    }
    one.isBroken = false;
    if (gap !== undefined) this.#tell(channel, gap);
  }

  message(message: Message): void {
    const { channel, log } = message;
    const one = this.get(channel);
    if (channel === undefined) return;
    if (one?.subscribed === undefined && !this.#breaks.has("unsubscribed-messages-taken")) return;
    const at = one?.position;
    if (at !== undefined && log !== undefined) {
      const fate = at.entry(log);
      if (fate === "resync" && one !== undefined) this.#resubscribe(one);
      if (fate !== "take") return;
    }
    if (!this.#seen.isNew(nameOf(channel), message)) return;
    const position = at && log ? at.current : undefined;
    if (this.#breaks.has("odd-ones-late") && message.seq % 2n === 1n) {
      setImmediate(() => this.#events.received(message, position));
    } else this.#events.received(message, position);
  }

  skip(skip: Skip): void {
    const one = this.get(skip.channel);
    if (one?.position?.skip(skip) === "resync") this.#resubscribe(one);
  }

  event({ channel, event }: SubscriptionEvent): void {
    if (channel === undefined) return;
    const one = this.get(channel);
    switch (event.case) {
      case "opened": {
        if (this.#breaks.has("server-subscriptions-ignored")) return;
        this.opened(channel, event.value, false);
        return this.#events.opened(channel);
      }
      case "closed":
        if (one === undefined || this.#breaks.has("closed-subscriptions-kept")) return;
        if (event.value.reason === SubscriptionCloseReason.FAILED && this.#breaksDown(one)) return;
        this.#all.delete(nameOf(channel));
        return this.#events.closed(channel, event.value.reason);
      case "gap": {
        if (this.#breaks.has("unknown-values-refused") && GapReason[event.value.reason] === undefined)
          throw new Error("?");
        const { to } = event.value;
        if (one?.position !== undefined && to !== undefined && !this.#breaks.has("gaps-move-nothing")) {
          one.position = new LogPosition(to, this.#breaks);
        }
        return this.#tell(channel, event.value);
      }
      case "caughtUp":
        if (event.value.position !== undefined && one?.position !== undefined) {
          this.#events.caughtUp(channel, event.value.position);
        }
    }
  }

  presence(event: PresenceEvent): void {
    const { channel } = event;
    const one = this.get(channel);
    if (channel === undefined || one?.wanted?.presence !== true) return;
    const { changes, outdated } = one.roster.apply(event);
    for (const change of changes) this.#events.presence(channel, change, one.roster);
    if (event.event.case === "counts") this.#events.presence(channel, "counts", one.roster);
    if (event.event.case === "snapshot" && event.event.value.last) this.#events.presence(channel, "synced", one.roster);
    if (outdated && !this.#breaks.has("outdated-lists-kept")) this.#resubscribe(one);
  }

  #resubscribe(one: Subscription): void {
    const subscribe = this.again(one);
    if (this.#breaks.has("resynchronises-anywhere")) subscribe.start = { case: undefined };
    this.#events.resubscribe(subscribe);
  }

  #tell(channel: Channel, gap: Gap): void {
    if (!this.#breaks.has("gaps-untold")) this.#events.gap(channel, gap);
  }

  #at(channel: Channel): Subscription {
    const name = nameOf(channel);
    const known = this.#all.get(name);
    if (known !== undefined) return known;
    const one: Subscription = {
      channel,
      wanted: undefined,
      subscribed: undefined,
      position: undefined,
      isBroken: false,
      roster: new Roster(this.#breaks),
    };
    this.#all.set(name, one);
    return one;
  }
}

function nameOf(channel: Channel | undefined): string {
  return channel === undefined ? "" : JSON.stringify(toJson(ChannelSchema, channel));
}
