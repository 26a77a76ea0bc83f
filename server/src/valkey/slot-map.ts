import { type ClusterView, parseClusterNodes } from "./cluster-view.ts";
import { slotCount, slotOfTag } from "./hash-slot.ts";
import type { ValkeyClient } from "./valkey-client.ts";

/** Slots that have gone from one primary to another. */
export interface SlotMove {
  readonly from: string;
  readonly to: string;
  readonly slots: ReadonlySet<number>;
}

/** Where calls find out which primary a key belongs to. */
export type Slots = Pick<SlotMap, "primaryOf" | "isPrimary" | "tagOf" | "refresh">;

/**
 * Which primary serves a slot, as far as known. A mistake costs a detour: the answers name the node that gave them.
 *
 * Views of several nodes are merged: of two claims on a slot the one with the higher epoch counts, as it does among the nodes of Valkey, so what a
 * node tells that has missed a failover changes nothing.
 */
export class SlotMap {
  #owners: (string | undefined)[] = new Array<undefined>(slotCount).fill(undefined);
  /** Highest epoch of each owner. */
  readonly #epochs = new Map<string, number>();
  #tags = new Map<string, string>();
  /** Claims that were judged, by node: they would be judged as before. Empty again whenever a slot changes hands. */
  readonly #judged = new Map<string, string>();
  /** All owners; undefined: to be found out. */
  #ownerIds: ReadonlySet<string> | undefined = new Set();
  readonly #onMoved: () => void;
  #loading: Promise<void> | undefined;

  /** @param onMoved a refresh has shown that slots have another primary */
  constructor(onMoved: () => void = () => {}) {
    this.#onMoved = onMoved;
  }

  /** Id of the primary; empty if it is not known, or outside of a cluster. */
  primaryOf(tag: string): string {
    return this.#owners[slotOfTag(tag)] ?? "";
  }

  /** Whether a node serves a slot. */
  isPrimary(id: string): boolean {
    return this.#epochs.has(id);
  }

  /** All nodes that serve a slot. */
  get primaries(): readonly string[] {
    return [...this.#epochs.keys()];
  }

  /** Under which a primary claims its slots; 0 if it serves none. */
  epochOf(id: string): number {
    return this.#epochs.get(id) ?? 0;
  }

  /** A hash tag that belongs to a primary; undefined if none is found, because it has few slots or none. */
  tagOf(primary: string): string | undefined {
    if (!this.isPrimary(primary)) return undefined;
    const known = this.#tags.get(primary);
    if (known !== undefined && this.primaryOf(known) === primary) return known;
    for (let i = 0; i < 2000; i++) {
      if (this.primaryOf(`${i}`) !== primary) continue;
      this.#tags.set(primary, `${i}`);
      return `${i}`;
    }
    return undefined;
  }

  /** Takes in what a node sees. @returns what has changed hands; nothing for slots that nobody was known to serve */
  learn(view: ClusterView): readonly SlotMove[] {
    const moves = new Map<string, { from: string; to: string; slots: Set<number> }>();
    // Its nodes are all others, for instance because it was created anew: epochs cannot be compared.
    const isOtherCluster = !this.primaries.some((id) => view.nodes.has(id));
    for (const { id, isPrimary, epoch, ranges } of view.nodes.values()) {
      const claim = `${epoch} ${isOtherCluster} ${ranges.join(" ")}`;
      // A view says as a rule what the last one said.
      if (!isPrimary || this.#judged.get(id) === claim) continue;
      let isChanged = false;
      for (const [first, last] of ranges) {
        for (let slot = first; slot <= last; slot++) {
          const owner = this.#owners[slot];
          if (owner === id) continue;
          if (owner !== undefined && epoch <= this.epochOf(owner) && !isOtherCluster) continue;
          this.#owners[slot] = id;
          isChanged = true;
          if (owner === undefined) continue;
          const key = `${owner} ${id}`;
          const move = moves.get(key) ?? { from: owner, to: id, slots: new Set() };
          moves.set(key, move);
          move.slots.add(slot);
        }
      }
      if (isChanged) {
        this.#judged.clear();
        this.#ownerIds = undefined;
      }
      this.#judged.set(id, claim);
    }
    this.#updateEpochs(view);
    return [...moves.values()];
  }

  /** Asks any node. Joins a request that is under way. */
  refresh(client: ValkeyClient): Promise<void> {
    this.#loading ??= client
      .send(["CLUSTER", "NODES"], "any")
      .then((reply) => {
        if (this.learn(parseClusterNodes(reply)).length > 0) this.#onMoved();
      })
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }

  #updateEpochs({ nodes }: ClusterView): void {
    this.#ownerIds ??= new Set(this.#owners.filter((id) => id !== undefined));
    const owners = this.#ownerIds;
    for (const id of this.#epochs.keys()) if (!owners.has(id)) this.#epochs.delete(id);
    for (const id of owners) this.#epochs.set(id, Math.max(this.epochOf(id), nodes.get(id)?.epoch ?? 0));
  }
}
