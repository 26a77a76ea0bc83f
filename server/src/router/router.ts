import { create } from "@bufbuild/protobuf";
import {
  type Channel,
  type DeliveryReport,
  DeliveryReportSchema,
  ErrorCode,
  Outcome,
  type Payload,
} from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { Counters } from "../observe/counters.ts";
import { type ChannelKey, channelKey } from "../wire/channel-key.ts";
import { encodeMessageBody, messageFrameBytes } from "../wire/frame-encoding.ts";
import { OutboundFrame } from "../wire/outbound-frame.ts";

/** A message that was accepted and has its identity. */
export interface AcceptedMessage {
  readonly channel: Channel;
  readonly origin: bigint;
  /** Below 2^53. */
  readonly seq: number;
  readonly payload: Payload | undefined;
  /** The publishing player; empty for a backend. */
  readonly from: string;
  readonly volatile: boolean;
  readonly conflationKey: string;
  /** 0: never expires. */
  readonly ttlMs: number;
}

/** Who was reached on this node. */
export interface LocalReport {
  readonly reached: number;
  readonly detached: number;
  readonly excluded: number;
}

/** The sessions of this node, as the router sees them. `Exclusion` is whatever names the session to leave out. */
export interface LocalDelivery<Exclusion> {
  /** Puts the frame into the send queues of a channel. False: refused, because too much waits. */
  deliver(
    key: ChannelKey,
    frame: OutboundFrame,
    excluded: Exclusion | undefined,
    done: (report: LocalReport) => void,
  ): boolean;
  /** Whether the player has a session, connected or within its window. */
  isOnline(playerId: string): boolean;
}

/** What became of a message. */
export type RouteResult =
  | { readonly outcome: Outcome.DELIVERED | Outcome.OFFLINE; readonly report: DeliveryReport }
  | { readonly outcome: Outcome.FAILED; readonly code: ErrorCode; readonly message: string };

/** Sends accepted messages of one app to where their receivers are. With the embedded broker that is this node alone. */
export class Router<Exclusion> {
  readonly #local: LocalDelivery<Exclusion>;
  readonly #clock: Clock;
  readonly #counters: Counters;

  constructor(local: LocalDelivery<Exclusion>, clock: Clock, counters: Counters) {
    this.#local = local;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Encodes the message once and sends it on. `done` is called once, as a rule before this returns. */
  publish(message: AcceptedMessage, excluded: Exclusion | undefined, done: (result: RouteResult) => void): void {
    const { channel } = message;
    const offline = channel.kind.case === "player" && !this.#local.isOnline(channel.kind.value);
    if (offline) return done({ outcome: Outcome.OFFLINE, report: create(DeliveryReportSchema) });
    const accepted = this.#local.deliver(channelKey(channel), this.#encode(message), excluded, (report) => {
      this.#counters.messagesDelivered += report.reached;
      done({ outcome: Outcome.DELIVERED, report: create(DeliveryReportSchema, report) });
    });
    if (!accepted) {
      done({
        outcome: Outcome.FAILED,
        code: ErrorCode.UNAVAILABLE,
        message: "this node has too many messages to send; try again",
      });
    }
  }

  #encode(message: AcceptedMessage): OutboundFrame {
    const sentAtMs = this.#clock.nowMs();
    const expiresAtMs = message.ttlMs === 0 ? 0 : sentAtMs + message.ttlMs;
    const body = encodeMessageBody({ ...message, sentAtMs, expiresAtMs });
    const traits = message.volatile ? { conflation: conflationOf(message) } : undefined;
    return new OutboundFrame(messageFrameBytes(body), true, traits, expiresAtMs);
  }
}

/** What two volatile messages have in common of which the newer replaces the older. */
function conflationOf({ origin, channel, conflationKey }: AcceptedMessage): string | undefined {
  return conflationKey === "" ? undefined : `${origin}|${channelKey(channel)}|${conflationKey}`;
}
