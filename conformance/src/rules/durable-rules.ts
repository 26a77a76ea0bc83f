import {
  type CaughtUp,
  type ClientFrame,
  DeliveryClass,
  type Gap,
  GapReason,
  type LogEntry,
  type Position,
  type Reply,
  type ServerFrame,
  type Skip,
  type Subscribed,
  type SubscriptionEvent,
  type Welcome,
} from "@fanfare/proto/v1";
import { channelName } from "./delivery-rules.ts";
import { broken, type ServerRule, type Violation } from "./rule.ts";

/** How far a durable subscription has come, as the table of section 12.1 moves it. */
interface Place {
  epoch: bigint;
  offset: bigint;
  tag: number;
  /** The replay has to reach it before `caught_up`. */
  readonly replayTo: bigint;
}

/** Every offset of a durable subscription comes once, in order and chained by its tags, as a message, in a skip or by a gap. */
export function durableRules(): ServerRule {
  let isServed = false;
  const places = new Map<string, Place>();
  const requests = new Map<number, string>();

  function begin(channel: string, told: Subscribed): Violation | undefined {
    places.delete(channel);
    if (told.deliveryClass !== DeliveryClass.DURABLE) return undefined;
    if (!isServed) return broken("FF-FE-004", `${channel} is served as DURABLE without the feature`);
    const { position, head, gap, recovered } = told;
    if (position === undefined || head === undefined)
      return broken("FF-DU-013", `${channel} was subscribed without position or head`);
    if (head.epoch !== position.epoch || head.offset < position.offset)
      return broken("FF-DU-013", `the head of ${channel} is ${shown(head)}, and its position ${shown(position)}`);
    places.set(channel, placeAt(position, head.offset));
    if (gap === undefined) return undefined;
    if (recovered) return broken("FF-DU-016", `${channel} is recovered and has a gap`);
    if (gap.to === undefined || !isSame(gap.to, position))
      return broken(
        "FF-DU-017",
        `the gap of ${channel} ends at ${shown(gap.to)}, and its position is ${shown(position)}`,
      );
    return gapProblem(channel, gap);
  }

  function welcomed({ features, subscriptions }: Welcome): Violation | undefined {
    isServed = features.includes("durable");
    for (const { channel, result } of subscriptions) {
      const problem = result.case === "subscribed" ? begin(channelName(channel), result.value) : undefined;
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  function replied(id: number, { result }: Reply): Violation | undefined {
    const channel = requests.get(id);
    if (channel === undefined) return undefined;
    if (result.case === "unsubscribed") places.delete(channel);
    return result.case === "subscribed" ? begin(channel, result.value) : undefined;
  }

  function changed({ channel: of, event }: SubscriptionEvent): Violation | undefined {
    const channel = channelName(of);
    if (event.case === "opened") return begin(channel, event.value);
    if (event.case === "closed") places.delete(channel);
    const place = places.get(channel);
    if (place === undefined) return undefined;
    if (event.case === "caughtUp") return caughtUp(channel, place, event.value);
    if (event.case !== "gap" || event.value.to === undefined) return undefined;
    places.set(channel, placeAt(event.value.to, 0n));
    return gapProblem(channel, event.value);
  }

  function caughtUp(channel: string, place: Place, { position }: CaughtUp): Violation | undefined {
    if (position === undefined || !isSame(position, place))
      return broken("FF-DU-021", `${channel} has caught up at ${shown(position)}, and came as far as ${shown(place)}`);
    if (position.offset < place.replayTo)
      return broken("FF-DU-021", `${channel} has caught up at ${position.offset}, before its head ${place.replayTo}`);
    return undefined;
  }

  function delivered(channel: string, log: LogEntry | undefined): Violation | undefined {
    const place = places.get(channel);
    if (place === undefined) return undefined;
    if (log === undefined) return broken("FF-DU-008", `a message of ${channel} came without its place in the log`);
    const { offset, tag, previousTag } = log;
    const problem = orderProblem(channel, place, { from: offset, to: offset, previousTag });
    Object.assign(place, { offset, tag });
    return problem;
  }

  function skipped({ channel: of, fromOffset, toOffset, tag, previousTag }: Skip): Violation | undefined {
    const channel = channelName(of);
    const place = places.get(channel);
    if (toOffset < fromOffset) return broken("FF-DU-009", `${channel} skips from ${fromOffset} to ${toOffset}`);
    if (place === undefined) return undefined;
    const problem = orderProblem(channel, place, { from: fromOffset, to: toOffset, previousTag });
    Object.assign(place, { offset: toOffset, tag });
    return problem;
  }

  return {
    sent({ id, kind }: ClientFrame): void {
      if (kind.case !== "subscribe" && kind.case !== "unsubscribe") return;
      const channel = channelName(kind.value.channel);
      // Without an id nothing says from where it is served.
      if (id === 0) places.delete(channel);
      else requests.set(id, channel);
    },
    received({ id, kind }: ServerFrame): Violation | undefined {
      switch (kind.case) {
        case "welcome":
          return welcomed(kind.value);
        case "reply":
          return replied(id, kind.value);
        case "subscription":
          return changed(kind.value);
        case "message":
          return delivered(channelName(kind.value.channel), kind.value.log);
        case "skip":
          return skipped(kind.value);
        default:
          return undefined;
      }
    },
  };
}

function placeAt({ epoch, offset, tag }: Position, replayTo: bigint): Place {
  return { epoch, offset, tag, replayTo };
}

interface Stretch {
  readonly from: bigint;
  readonly to: bigint;
  readonly previousTag: number;
}

function orderProblem(channel: string, place: Place, { from, to, previousTag }: Stretch): Violation | undefined {
  const { offset, tag } = place;
  if (to <= offset) return broken("FF-DU-022", `offset ${to} of ${channel} came after ${offset}`);
  if (from > offset + 1n) return broken("FF-DU-008", `offset ${from} of ${channel} came after ${offset}: a hole`);
  if (from === offset + 1n && previousTag !== tag)
    return broken("FF-DU-010", `offset ${from} of ${channel} follows the tag ${previousTag}, and ${offset} has ${tag}`);
  return undefined;
}

/** What a gap of a durable channel has to say beyond its end. */
function gapProblem(channel: string, { reason, from, to, missed }: Gap): Violation | undefined {
  if (from === undefined || to === undefined) return broken("FF-DU-017", `the gap of ${channel} lacks from or to`);
  const isOfOneLog = from.epoch === to.epoch && reason !== GapReason.FORKED && to.offset >= from.offset;
  const wanted = isOfOneLog ? to.offset - from.offset : 0n;
  if (missed === wanted) return undefined;
  return broken("FF-DU-018", `the gap of ${channel} from ${shown(from)} to ${shown(to)} says ${missed} missed`);
}

type PlaceLike = Pick<Position, "epoch" | "offset" | "tag">;

function isSame(a: PlaceLike, b: PlaceLike): boolean {
  return a.epoch === b.epoch && a.offset === b.offset && a.tag === b.tag;
}

function shown(position: PlaceLike | undefined): string {
  return position === undefined ? "absent" : `(${position.epoch}, ${position.offset}, ${position.tag})`;
}
