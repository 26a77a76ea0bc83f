import { create } from "@bufbuild/protobuf";
import { Scope } from "@fanfare/proto/config/v1";
import { type WatchEventsResponse, WatchEventsResponseSchema } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Caller } from "../auth/api-keys.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { RemoteEvents } from "./cluster/remote-events.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";
import { concerns, type EventFilter, type EventInit, eventOf, stamped, watchesNodes } from "./event-messages.ts";
import { EventQueue } from "./event-queue.ts";
import { methodScopes } from "./method-scopes.ts";
import { ownNode } from "./node-view.ts";

/** Events that wait for one reader. */
const queueCapacity = 1_024;
/** Streams of one app, and of all apps, at a time; one more is refused. No app alone leaves the others without. */
const maxWatchersOfApp = 32;
const maxWatchers = 256;

/** A stream, and whose it is. */
interface Watcher {
  readonly queue: EventQueue<EventInit>;
  readonly filter: EventFilter;
  readonly caller: Caller;
}

/** The event streams of a node. A stream lasts, so that the key it was opened with is looked at again whenever its app is given other keys. */
export class EventWatchers {
  readonly #node: ControlNode;
  readonly #remote: RemoteEvents | undefined;
  readonly #watchers = new Set<Watcher>();
  #ended = false;

  /** @param remote what happens on other nodes; default: there is none */
  constructor(node: ControlNode, remote?: RemoteEvents) {
    this.#node = node;
    this.#remote = remote;
    node.apiKeys.onChange((appId) => this.#lookAtKeys(appId));
  }

  /**
   * Streams what happens in an app on all nodes from now on, until the signal aborts, the node drains or the app is gone. The first response is empty and says
   * that the stream stands, at every node that answers.
   * @throws FanfareError LIMIT_EXCEEDED past 32 streams of the app or 256 of all, DRAINING; also later UNAUTHENTICATED, PERMISSION_DENIED when the caller's key is withdrawn, or may
   *   not do this any more
   */
  async *watch(
    app: ControlApp,
    caller: Caller,
    filter: EventFilter,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEventsResponse> {
    if (this.#ended) throw new FanfareError(ErrorCode.DRAINING, "this node is draining");
    // It may have been withdrawn since the call began.
    const refusal = this.#refusalOf(caller);
    if (refusal !== undefined) throw refusal;
    this.#requireRoom(caller.appId);
    const queue = new EventQueue<EventInit>(queueCapacity);
    const watcher = { queue, filter, caller };
    this.#watchers.add(watcher);
    const end = () => queue.end();
    const stop = app.hub.events.listen((event) => {
      if (concerns(event, filter)) queue.push(stamped(this.#node, eventOf(event)));
    }, end);
    const elsewhere = this.#remote?.watch(app.hub.appId, filter, (event) => queue.push(event));
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
      this.#watchers.delete(watcher);
    }
  }

  /** The node drains, or goes: who watches everything is told, and every stream ends behind what is queued. */
  end(): void {
    this.#ended = true;
    for (const { queue, filter, caller } of this.#watchers) {
      const node = ownNode(this.#node, caller.appId);
      if (watchesNodes(filter)) queue.push(stamped(this.#node, { case: "nodeChanged", value: { node } }));
      queue.end();
    }
  }

  #requireRoom(appId: string): void {
    const ofApp = [...this.#watchers].filter(({ caller }) => caller.appId === appId).length;
    if (ofApp >= maxWatchersOfApp) {
      const message = `this node serves ${maxWatchersOfApp} event streams of the app already, as many as an app may have`;
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, message);
    }
    if (this.#watchers.size < maxWatchers) return;
    const message = `this node serves ${maxWatchers} event streams of all apps already; try another node`;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, message);
  }

  #lookAtKeys(appId: string): void {
    for (const { queue, caller } of this.#watchers) {
      const refusal = caller.appId === appId ? this.#refusalOf(caller) : undefined;
      if (refusal !== undefined) queue.fail(refusal);
    }
  }

  /** Why a caller that was let in is not any more. */
  #refusalOf(caller: Caller): FanfareError | undefined {
    const now = this.#node.apiKeys.again(caller);
    if (now === undefined) {
      return new FanfareError(ErrorCode.UNAUTHENTICATED, `the API key "${caller.keyId}" was withdrawn`);
    }
    const scope = methodScopes.watchEvents;
    if (now.scopes.has(scope)) return undefined;
    const message = `the API key "${now.keyId}" has lost SCOPE_${Scope[scope]}, which WatchEvents needs`;
    return new FanfareError(ErrorCode.PERMISSION_DENIED, message);
  }
}
