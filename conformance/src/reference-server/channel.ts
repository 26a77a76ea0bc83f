import { type Channel, ErrorCode, type Payload } from "@fanfare/proto/v1";
import type { Reader } from "./durable/reader.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** A channel as a key. */
export function keyOf({ kind }: Channel): string {
  return `${kind.case} ${kind.value}`;
}

/** The namespace of a group. */
export function namespaceOf(group: string): string {
  const colon = group.indexOf(":");
  return colon === -1 ? "default" : group.slice(0, colon);
}

/** A session's subscription of a channel. */
export interface Subscription {
  readonly channel: Channel;
  /** The client has asked for it. */
  byClient: boolean;
  /** The session is told presence. */
  presence: boolean;
  data: Payload | undefined;
  /** Serves it from the log; undefined where it is served as a live one. */
  reader: Reader | undefined;
}

/** Who subscribes a channel, and how many changes of presence there were. */
export class ChannelState {
  readonly subscribers = new Map<Session, Subscription>();
  presenceNumber = 0n;
  /** Counts alone were told last, and no lists. */
  counted = false;
}

/** Channels that somebody subscribes; one that nobody does is forgotten. */
export class ChannelTable {
  readonly #states = new Map<string, ChannelState>();

  get(key: string): ChannelState {
    return this.#states.get(key) ?? new ChannelState();
  }

  open(key: string): ChannelState {
    const state = this.get(key);
    this.#states.set(key, state);
    return state;
  }

  close(key: string, session: Session): void {
    const state = this.#states.get(key);
    state?.subscribers.delete(session);
    if (state?.subscribers.size === 0) this.#states.delete(key);
  }
}

/** The channel of a request. @throws Refusal */
export function required(channel: Channel | undefined): Channel {
  if (channel === undefined) throw new Refusal(ErrorCode.INVALID_ARGUMENT, "the channel is missing", "channel");
  return channel;
}
