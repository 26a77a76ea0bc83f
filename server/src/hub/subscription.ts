import type { Payload } from "@fanfare/proto/v1";
import type { Timer } from "../clock.ts";
import type { ChannelState } from "./channel-state.ts";
import type { DurableReader } from "./durable/durable-reader.ts";
import type { StartWish } from "./durable/durable-starts.ts";
import type { Session } from "./session.ts";

/** A session receives a channel. */
export class Subscription {
  readonly session: Session;
  readonly channel: ChannelState;
  /** False from the moment it is over, also for a fan-out that has begun. */
  active = true;
  /** Its client has not been told of it yet, because its route is being written or its log asked: no message goes out (FF-OR-005). */
  pending = false;
  /** When the server, which tells the client of it by itself as soon as it can, tries that again. */
  retry: Timer | undefined;
  /** Where its client wanted it to begin, if a `welcome` could not say that. */
  wish: Pick<StartWish, "start" | "isResume"> | undefined;
  /** The client asked for it. */
  byClient: boolean;
  /** The player is a member, or the channel is the player's own or broadcast. */
  byServer: boolean;
  /** The session receives presence events of the channel. */
  watchesPresence = false;
  /** What others see beside the player. */
  presenceData: Payload | undefined;
  /** How far it was served from the log; undefined in live channels, and without the feature `durable`. */
  reader: DurableReader | undefined;
  /** Counts the requests that asked to begin anew; the answer to an older one begins nothing. */
  startTurn = 0;
  /** Its place in the channel's Subscribers. */
  index = -1;

  constructor(session: Session, channel: ChannelState, opener: "client" | "server") {
    this.session = session;
    this.channel = channel;
    this.byClient = opener === "client";
    this.byServer = opener === "server";
  }
}
