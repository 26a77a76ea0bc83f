import { create } from "@bufbuild/protobuf";
import { type WatchEventsResponse, WatchEventsResponseSchema } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { RemoteEvents } from "./cluster/remote-events.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";
import { concerns, type EventFilter, type EventInit, eventOf, stamped, watchesNodes } from "./event-messages.ts";
import { EventQueue } from "./event-queue.ts";

/** Events that wait for one reader. */
const queueCapacity = 1_024;
/** Streams of all apps at a time; one more is refused. */
const maxWatchers = 256;

/** The event streams of a node. */
export class EventWatchers {
  readonly #node: ControlNode;
  readonly #remote: RemoteEvents | undefined;
  readonly #queues = new Map<EventQueue<EventInit>, EventFilter>();
  #ended = false;

  /** @param remote what happens on other nodes; default: there is none */
  constructor(node: ControlNode, remote?: RemoteEvents) {
    this.#node = node;
    this.#remote = remote;
  }

  /**
   * Streams what happens in an app on all nodes from now on, until the signal aborts, the node drains or the app is gone. The first response is empty and says
   * that the stream stands, at every node that answers.
   * @throws FanfareError LIMIT_EXCEEDED past 256 streams, DRAINING
   */
  async *watch(app: ControlApp, request: EventFilter, signal: AbortSignal): AsyncGenerator<WatchEventsResponse> {
    if (this.#ended) throw new FanfareError(ErrorCode.DRAINING, "this node is draining");
    if (this.#queues.size >= maxWatchers) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `this node serves ${maxWatchers} event streams already`);
    }
    const queue = new EventQueue<EventInit>(queueCapacity);
    this.#queues.set(queue, request);
    const end = () => queue.end();
    const stop = app.hub.events.listen((event) => {
      if (concerns(event, request)) queue.push(stamped(this.#node, eventOf(event)));
    }, end);
    const elsewhere = this.#remote?.watch(app.hub.appId, request, (event) => queue.push(event));
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    try {
      await elsewhere?.standing;
      yield create(WatchEventsResponseSchema);
      for await (const queued of queue) {
        const event =
          "item" in queued
            ? queued.item
            : stamped(this.#node, { case: "missed", value: { count: BigInt(queued.missed) } });
        yield create(WatchEventsResponseSchema, { event });
      }
    } finally {
      stop();
      elsewhere?.end();
      signal.removeEventListener("abort", end);
      this.#queues.delete(queue);
    }
  }

  /** The node drains, or goes: who watches everything is told, and every stream ends behind what is queued. */
  end(): void {
    this.#ended = true;
    const event = stamped(this.#node, { case: "nodeChanged", value: { node: this.#node.describe() } });
    for (const [queue, filter] of this.#queues) {
      if (watchesNodes(filter)) queue.push(event);
      queue.end();
    }
  }
}
