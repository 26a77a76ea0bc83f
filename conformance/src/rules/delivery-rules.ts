import {
  type Channel,
  type ClientFrame,
  DeliveryClass,
  type Reply,
  type ServerFrame,
  type Subscribed,
  type SubscriptionEvent,
  type Welcome,
} from "@fanfare/proto/v1";
import { broken, type ServerRule, type Violation } from "./rule.ts";

/** A channel as a key. */
export function channelName(channel: Channel | undefined): string {
  const kind = channel?.kind;
  return kind?.case === undefined ? "" : `${kind.case} ${kind.value}`;
}

/** Messages come for subscribed channels alone, and in the order of `seq` by origin, channel and volatile. */
export function deliveryRules(): ServerRule {
  const subscribed = new Set<string>();
  const requests = new Map<number, { kind: string; channel: string }>();
  /** The newest seq by origin and volatile, by channel. */
  const last = new Map<string, Map<string, bigint>>();

  function welcomed({ subscriptions }: Welcome): void {
    for (const { channel, result } of subscriptions) {
      if (result.case === "subscribed") begin(channelName(channel), result.value);
    }
  }

  /** A durable subscription can begin before what it has brought already, and brings that again. */
  function begin(channel: string, { deliveryClass }: Subscribed): void {
    subscribed.add(channel);
    if (deliveryClass === DeliveryClass.DURABLE) last.delete(channel);
  }

  function replied(id: number, { result }: Reply): void {
    const request = requests.get(id);
    if (request === undefined) return;
    if (result.case === "subscribed") begin(request.channel, result.value);
    if (result.case === "unsubscribed") subscribed.delete(request.channel);
  }

  function changed({ channel, event }: SubscriptionEvent): void {
    if (event.case === "opened") begin(channelName(channel), event.value);
    if (event.case === "closed") subscribed.delete(channelName(channel));
    if (event.case === "gap" && event.value.to !== undefined) last.delete(channelName(channel));
  }

  function delivered(frame: Extract<ServerFrame["kind"], { case: "message" }>["value"]): Violation | undefined {
    const channel = channelName(frame.channel);
    if (!subscribed.has(channel)) return broken("FF-OR-005", `a message of ${channel} came, which is not subscribed`);
    if (frame.origin === 0n) return broken("FF-ID-016", "a message without origin came");
    const key = `${frame.origin} ${frame.volatile}`;
    const ofChannel = last.get(channel) ?? new Map<string, bigint>();
    const before = ofChannel.get(key) ?? 0n;
    if (frame.seq === before) return broken("FF-ID-010", `seq ${frame.seq} of ${channel} came twice`);
    if (frame.seq < before) return broken("FF-OR-001", `seq ${frame.seq} of ${channel} came after ${before}`);
    last.set(channel, ofChannel.set(key, frame.seq));
    if (frame.sentAtMs === 0n) return broken("FF-PB-008", "a message without sent_at_ms came");
    return undefined;
  }

  return {
    sent({ id, kind }: ClientFrame): void {
      if (kind.case !== "subscribe" && kind.case !== "unsubscribe") return;
      // Without an id nothing says when it is in force.
      if (id === 0) return void subscribed.add(channelName(kind.value.channel));
      requests.set(id, { kind: kind.case, channel: channelName(kind.value.channel) });
    },
    received({ id, kind }: ServerFrame): Violation | undefined {
      if (kind.case === "welcome") welcomed(kind.value);
      else if (kind.case === "reply") replied(id, kind.value);
      else if (kind.case === "subscription") changed(kind.value);
      else if (kind.case === "message") return delivered(kind.value);
      return undefined;
    },
  };
}
