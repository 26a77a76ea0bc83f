import type { NodeRecord } from "@fanfare/proto/cluster/v1alpha";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../observe/log.ts";

/** What {@link NodeDifferences} are made of. */
export interface NodeDifferencesOptions {
  /** This node. */
  readonly own: Pick<NodeRecord, "incarnation" | "nodeId" | "lanes" | "clusterKeys">;
  readonly clock: Clock;
  readonly log: Log;
  /** Life of a lease, in milliseconds. */
  readonly leaseMs: number;
}

/** A node, and for how long it is known to live. */
interface Sighting {
  readonly nodeId: string;
  /** By the monotonic clock. */
  readonly firstMs: number;
  lastMs: number;
  /** It was told that it has the name of another. */
  hasNamesake: boolean;
}

/**
 * Warns of another node that is configured in a way that cannot be meant: with another number of lanes, with a cluster key that is not known here, or with the
 * name of a third or of this one. Each is told once, and neither node is refused: one that serves most of its clients well is better than none.
 *
 * An incarnation that was killed is seen for the life of its lease beside the one that was started in its place. Two that were seen side by side for twice as
 * long both renew their lease.
 */
export class NodeDifferences {
  readonly #options: NodeDifferencesOptions;
  readonly #sightings = new Map<bigint, Sighting>();

  constructor(options: NodeDifferencesOptions) {
    const { own, clock } = options;
    this.#options = options;
    const alwaysMs = { firstMs: clock.monotonicMs(), lastMs: Number.POSITIVE_INFINITY };
    this.#sightings.set(own.incarnation, { nodeId: own.nodeId, ...alwaysMs, hasNamesake: false });
  }

  /** Another node is there, or still is: its lease is young. */
  seen(node: NodeRecord): void {
    const { incarnation, nodeId } = node;
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#sightings.get(incarnation);
    const sighting = known ?? { nodeId, firstMs: nowMs, lastMs: nowMs, hasNamesake: false };
    sighting.lastMs = nowMs;
    this.#sightings.set(incarnation, sighting);
    if (known === undefined) this.#compare(node);
    if (!sighting.hasNamesake) this.#lookForNamesake(incarnation, sighting);
  }

  /** A node is gone. */
  forget(incarnation: bigint): void {
    this.#sightings.delete(incarnation);
  }

  #compare({ nodeId: node, incarnation, lanes, clusterKeys }: NodeRecord): void {
    const { own, log } = this.#options;
    const fields = { node, incarnation: incarnation.toString(16) };
    // A node of the release before tells neither.
    if (lanes !== 0 && lanes !== own.lanes) {
      log.warn(
        "a node has another number of lanes, so that publishes fail between it and this one: set valkey.lanes to the same in all nodes",
        { ...fields, lanes, lanesHere: own.lanes },
      );
    }
    const [signing] = clusterKeys;
    if (signing !== undefined && !own.clusterKeys.includes(signing)) {
      log.warn(
        "a node signs with a cluster key that is not known here, so that sessions that come from it begin anew: set cluster_keys to the same in all nodes",
        fields,
      );
    }
  }

  #lookForNamesake(incarnation: bigint, sighting: Sighting): void {
    const { leaseMs, log } = this.#options;
    for (const [other, its] of this.#sightings) {
      if (other === incarnation || its.nodeId !== sighting.nodeId) continue;
      const togetherMs = Math.min(its.lastMs, sighting.lastMs) - Math.max(its.firstMs, sighting.firstMs);
      if (togetherMs <= 2 * leaseMs) continue;
      sighting.hasNamesake = true;
      its.hasNamesake = true;
      const incarnations = [other, incarnation].map((one) => one.toString(16));
      log.warn("two nodes have the same name: give each a node_id of its own", {
        node: sighting.nodeId,
        incarnations,
      });
      return;
    }
  }
}
