import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type EventSchema,
  type WatchEventsRequest,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
} from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { HubEvent } from "../hub/events.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";
import { EventQueue } from "./event-queue.ts";

type EventInit = MessageInitShape<typeof EventSchema>;

/** Events that wait for one reader. */
const queueCapacity = 1_024;
/** Streams of all apps at a time; one more is refused. */
const maxWatchers = 256;

/** The event streams of a node. */
export class EventWatchers {
  readonly #node: ControlNode;
  readonly #queues = new Set<EventQueue<EventInit>>();
  #ended = false;

  constructor(node: ControlNode) {
    this.#node = node;
  }

  /**
   * Streams what happens in an app from now on, until the signal aborts or the node drains. The first response is empty and says that
   * the stream stands.
   * @throws FanfareError LIMIT_EXCEEDED past 256 streams, DRAINING
   */
  async *watch(
    app: ControlApp,
    request: Pick<WatchEventsRequest, "playerId" | "group">,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEventsResponse> {
    if (this.#ended) throw new FanfareError(ErrorCode.DRAINING, "this node is draining");
    if (this.#queues.size >= maxWatchers) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `this node serves ${maxWatchers} event streams already`);
    }
    const queue = new EventQueue<EventInit>(queueCapacity);
    this.#queues.add(queue);
    const stop = app.hub.events.listen((event) => {
      if (concerns(event, request)) queue.push(this.#stamped(eventOf(event)));
    });
    const end = () => queue.end();
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      yield create(WatchEventsResponseSchema);
      for await (const queued of queue) {
        const event =
          "item" in queued ? queued.item : this.#stamped({ case: "missed", value: { count: BigInt(queued.missed) } });
        yield create(WatchEventsResponseSchema, { event });
      }
    } finally {
      stop();
      signal.removeEventListener("abort", end);
      this.#queues.delete(queue);
    }
  }

  /** The node drains: every reader is told, and its stream ends behind what is queued. */
  end(): void {
    this.#ended = true;
    const event = this.#stamped({ case: "nodeChanged", value: { node: this.#node.describe() } });
    for (const queue of this.#queues) {
      queue.push(event);
      queue.end();
    }
  }

  #stamped(event: EventInit["event"]): EventInit {
    const { clock, config } = this.#node;
    return { atMs: BigInt(Math.trunc(clock.nowMs())), nodeId: config.nodeId, event };
  }
}

function concerns(event: HubEvent, { playerId, group }: Pick<WatchEventsRequest, "playerId" | "group">): boolean {
  if (playerId !== "" && event.playerId !== playerId) return false;
  return group === "" || ("group" in event && event.group === group);
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
function eventOf({ type, ...value }: HubEvent): EventInit["event"] {
  return { case: cases[type], value } as EventInit["event"];
}
