import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EventSchema } from "@fanfare/proto/control/v1";
import type { HubEvent } from "../hub/events.ts";

/** An event as the control API tells it. */
export type EventInit = MessageInitShape<typeof EventSchema>;

/** Whose events are wanted; empty: everybody's. */
export interface EventFilter {
  readonly playerId: string;
  /** Events that concern no group are left out then. */
  readonly group: string;
}

/** Whether a filter lets an event through. */
export function concerns(event: HubEvent, { playerId, group }: EventFilter): boolean {
  if (playerId !== "" && event.playerId !== playerId) return false;
  return group === "" || ("group" in event && event.group === group);
}

/** Whether a filter lets through what happens to nodes, which concerns no player and no group. */
export function watchesNodes({ playerId, group }: EventFilter): boolean {
  return playerId === "" && group === "";
}

const cases = {
  "session-opened": "sessionOpened",
  "session-detached": "sessionDetached",
  "session-resumed": "sessionResumed",
  "session-closed": "sessionClosed",
  "membership-joined": "membershipJoined",
  "membership-left": "membershipLeft",
  subscribed: "subscribed",
  unsubscribed: "unsubscribed",
} as const satisfies Record<HubEvent["type"], string>;

/** Events of the hub have the fields of the messages that tell them. */
export function eventOf({ type, ...value }: HubEvent): EventInit["event"] {
  return { case: cases[type], value } as EventInit["event"];
}

/** An event of now, on a node. */
export function stamped(
  { clock, config }: { clock: { nowMs(): number }; config: { nodeId: string } },
  event: EventInit["event"],
): EventInit {
  return { atMs: BigInt(Math.trunc(clock.nowMs())), nodeId: config.nodeId, event };
}
