import type { EventFeed, NodeRecord } from "@fanfare/proto/cluster/v1alpha";
import { NodeState as PeerState } from "@fanfare/proto/cluster/v1alpha";
import { NodeState } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import type { ControlNode } from "../control-context.ts";
import { type EventFilter, type EventInit, stamped, watchesNodes } from "../event-messages.ts";
import { knownNode, type NodeInit } from "../node-view.ts";
import { nodeOf } from "./node-of.ts";

/** How long the first response of a stream waits for other nodes, and a node that did not answer is left alone, in milliseconds. */
const answerMs = 2_000;

/** A stream of this node, as other nodes feed it. */
interface Watch {
  readonly appId: string;
  readonly filter: EventFilter;
  readonly push: (event: EventInit) => void;
}

interface Feed {
  readonly peer: bigint;
  readonly watch: Watch;
}

/** What happens on other nodes, for the event streams of this one: a feed for each stream and node. */
export class RemoteEvents {
  readonly #node: ControlNode;
  readonly #cluster: Cluster;
  readonly #watches = new Set<Watch>();
  readonly #feeds = new Map<number, Feed>();
  /** What is known of each node, and was told. */
  readonly #told = new Map<bigint, NodeRecord>();
  #nextFeed = 1;

  constructor(node: ControlNode, cluster: Cluster) {
    this.#node = node;
    this.#cluster = cluster;
    for (const peer of cluster.nodes.peers.values()) this.#told.set(peer.incarnation, peer);
    cluster.onNode((peer) => this.#changed(peer.incarnation));
    cluster.onDeath((peer, hasLeft) => this.#gone(peer, hasLeft));
    cluster.onRecord("eventFeed", (from, { kind }) => {
      if (kind.case === "eventFeed") this.#receive(from, kind.value);
    });
  }

  /** Feeds of other nodes that are wanted now. */
  get size(): number {
    return this.#feeds.size;
  }

  /**
   * Has other nodes tell what happens there.
   * @returns when those that answer have begun, and what ends it
   */
  watch(
    appId: string,
    filter: EventFilter,
    push: (event: EventInit) => void,
  ): { standing: Promise<void>; end(): void } {
    const watch = { appId, filter, push };
    this.#watches.add(watch);
    const begun = this.#cluster.peers.map((peer) => this.#begin(peer, watch));
    const end = (): void => {
      this.#watches.delete(watch);
      for (const [id, feed] of this.#feeds) if (feed.watch === watch) this.#end(id, feed.peer);
    };
    return { standing: Promise.all(begun).then(() => {}), end };
  }

  /** Settles when the node has answered, or has not in time. */
  async #begin(peer: bigint, watch: Watch): Promise<void> {
    const id = this.#nextFeed++;
    this.#feeds.set(id, { peer, watch });
    await this.#ask(id, peer, watch);
  }

  async #ask(id: number, peer: bigint, watch: Watch): Promise<void> {
    const { playerId, group } = watch.filter;
    const question = { case: "watchFeed" as const, value: { feed: id, playerId, group } };
    try {
      await this.#cluster.ask(peer, question, { appId: watch.appId, deadlineMs: answerMs });
    } catch (reason) {
      if (!this.#feeds.has(id)) return;
      this.#node.log.info("a node does not tell its events yet", { peer: peer.toString(16), reason: String(reason) });
      this.#missed(watch, this.#cluster.nodes.peers.get(peer)?.nodeId ?? "", 0n);
      // One of an older release never will.
      if (FanfareError.from(reason).code === ErrorCode.UNIMPLEMENTED) return;
      this.#node.clock.setTimer(answerMs, () => {
        if (this.#feeds.has(id)) void this.#ask(id, peer, watch);
      });
    }
  }

  #receive(from: bigint, { feed: id, missed, event }: EventFeed): void {
    const feed = this.#feeds.get(id);
    if (feed?.peer !== from) return this.#end(id, from);
    if (missed > 0n) this.#missed(feed.watch, this.#cluster.nodes.peers.get(from)?.nodeId ?? "", missed);
    if (event !== undefined) feed.watch.push(event);
  }

  #end(id: number, peer: bigint): void {
    if (this.#feeds.get(id)?.peer === peer) this.#feeds.delete(id);
    const question = { case: "watchFeed" as const, value: { feed: id, end: true } };
    // Who does not get it says something one day, and is told again.
    this.#cluster.ask(peer, question, { deadlineMs: answerMs }).catch(() => {});
  }

  /** A node has come, or describes itself anew. Asked before it is greeted back, so before it serves clients. */
  #changed(incarnation: bigint): void {
    const peer = this.#cluster.nodes.peers.get(incarnation);
    if (peer === undefined) return;
    const told = this.#told.get(incarnation);
    this.#told.set(incarnation, peer);
    if (told === undefined) for (const watch of this.#watches) void this.#begin(incarnation, watch);
    if (peer.state !== told?.state && peer.state !== PeerState.JOINING) this.#tellNode(nodeOf(peer));
  }

  #gone(incarnation: bigint, hasLeft: boolean): void {
    const known = this.#told.get(incarnation);
    const nodeId = known?.nodeId ?? "";
    this.#told.delete(incarnation);
    for (const [id, { peer, watch }] of this.#feeds) {
      if (peer !== incarnation) continue;
      this.#feeds.delete(id);
      if (!hasLeft) this.#missed(watch, nodeId, 0n);
    }
    // It has no clients any more: it is dead, or has sent them away.
    const empty = { state: NodeState.ISOLATED, connections: 0, sessions: 0 };
    if (!hasLeft) this.#tellNode({ ...(known && nodeOf(known)), nodeId, incarnation, ...empty });
  }

  #tellNode(known: NodeInit): void {
    for (const { appId, filter, push } of this.#watches) {
      const node = knownNode(this.#node, appId, known);
      if (watchesNodes(filter)) push(stamped(this.#node, { case: "nodeChanged", value: { node } }));
    }
  }

  #missed({ push }: Watch, nodeId: string, count: bigint): void {
    push({ ...stamped(this.#node, { case: "missed", value: { count } }), nodeId });
  }
}
