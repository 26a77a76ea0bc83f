import type { WatchFeed } from "@fanfare/proto/cluster/v1alpha";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { recordBytes } from "../../router/cluster/asks.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import type { ControlNode } from "../control-context.ts";
import { concerns, type EventInit, eventOf, stamped } from "../event-messages.ts";
import { EventQueue } from "../event-queue.ts";

/** Events of one feed that wait to be sent. */
const queueCapacity = 1_024;
/** Events of one feed on their way at a time. */
const maxUnderWay = 128;
/** After how long it is told that something was not told, if there is nothing else to tell, in milliseconds. */
const retryMs = 1_000;
/** Feeds of all other nodes together. */
const maxFeeds = 4_096;

/** What happens on this node, told to those other nodes that watch it. */
export class EventFeeds {
  readonly #node: ControlNode;
  readonly #cluster: Cluster;
  /** By the node that watches and the number it gave. */
  readonly #feeds = new Map<string, () => void>();

  constructor(node: ControlNode, cluster: Cluster) {
    this.#node = node;
    this.#cluster = cluster;
    cluster.answer("watchFeed", (from, { appId, question }) => {
      if (question.case === "watchFeed") this.#watch(from, appId, question.value);
      return { case: "done", value: {} };
    });
    cluster.onDeath((peer) => {
      for (const [id, end] of this.#feeds) if (id.startsWith(`${peer}/`)) end();
    });
  }

  /** Ends all feeds: this node goes. */
  close(): void {
    for (const end of [...this.#feeds.values()]) end();
  }

  /** Feeds that are told now. */
  get size(): number {
    return this.#feeds.size;
  }

  #watch(peer: bigint, appId: string, request: WatchFeed): void {
    const id = `${peer}/${request.feed}`;
    if (request.end) return this.#feeds.get(id)?.();
    // Asked once more, because the answer was lost.
    if (this.#feeds.has(id)) return;
    if (this.#feeds.size >= maxFeeds) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `this node tells ${maxFeeds} feeds already`);
    }
    const events = this.#node.apps.get(appId)?.hub.events;
    if (events === undefined) throw new FanfareError(ErrorCode.NOT_FOUND, `the app "${appId}" is not served here`);
    const queue = new EventQueue<EventInit>(queueCapacity);
    const stop = events.listen(
      (event) => {
        if (concerns(event, request)) queue.push(stamped(this.#node, eventOf(event)));
      },
      () => this.#feeds.get(id)?.(),
    );
    const ended = new AbortController();
    this.#feeds.set(id, () => {
      stop();
      queue.end();
      ended.abort();
      this.#feeds.delete(id);
    });
    void this.#tell(peer, request.feed, queue, ended.signal);
  }

  /** Sends what is queued in its order. What could not be told, or may not have been, is counted and told before what comes next. */
  async #tell(peer: bigint, feed: number, queue: EventQueue<EventInit>, ended: AbortSignal): Promise<void> {
    let lost = 0;
    let underWay = 0;
    let settled = Promise.withResolvers<void>();
    const send = (missed: number, event: EventInit | undefined): void => {
      underWay++;
      const value = { feed, missed: BigInt(missed), ...(event && { event }) };
      const bytes = recordBytes({ case: "eventFeed", value });
      this.#cluster.links.send(peer, { class: "control", bytes }, (outcome) => {
        underWay--;
        settled.resolve();
        settled = Promise.withResolvers();
        if (outcome === "delivered" || ended.aborted) return;
        // Nothing may come after it that tells of it.
        if (lost === 0) this.#node.clock.setTimer(retryMs, () => queue.wake());
        lost += missed + (event === undefined ? 0 : 1);
      });
    };
    for await (const queued of queue) {
      while (underWay >= maxUnderWay && !ended.aborted) await settled.promise;
      if (ended.aborted) return;
      const missed = lost + ("missed" in queued ? queued.missed : 0);
      lost = 0;
      const event = "item" in queued ? queued.item : undefined;
      if (missed > 0 || event !== undefined) send(missed, event);
    }
  }
}
