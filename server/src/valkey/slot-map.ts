import { type ClusterNode, type ClusterView, parseClusterNodes } from "./cluster-view.ts";
import { slotCount, slotOfTag } from "./hash-slot.ts";
import type { ValkeyClient } from "./valkey-client.ts";

/** Slots that have gone from one primary to another. */
export interface SlotMove {
  readonly from: string;
  readonly to: string;
  readonly slots: Pick<ReadonlySet<number>, "has" | "size">;
}

type SlotRange = ClusterNode["ranges"][number];

/** Slots as ranges, because as a rule many that lie side by side change hands. */
class SlotRanges {
  readonly #ranges: SlotRange[] = [];
  size = 0;

  add(first: number, last: number): void {
    this.#ranges.push([first, last]);
    this.size += last - first + 1;
  }

  has(slot: number): boolean {
    return this.#ranges.some(([first, last]) => first <= slot && slot <= last);
  }
}

/** Of the tags `0`, `1`, ... so many leave no slot without one. A primary that has one slot alone is found one in 50 ms at the latest. */
export const tagsForAllSlots = 109_758;

/** Where calls find out which primary a key belongs to. */
export type Slots = Pick<SlotMap, "primaryOf" | "isPrimary" | "tagOf" | "refresh">;

/**
 * Which primary serves a slot, as far as known. A mistake costs a detour: the answers name the node that gave them.
 *
 * Views of several nodes are merged: of two claims on a slot the one with the higher epoch counts, as it does among the nodes of Valkey, so what a
 * node tells that has missed a failover changes nothing.
 */
export class SlotMap {
  /** Number of the owner of each slot; 0: nobody is known. Small numbers, because every look at the topology goes through all slots. */
  readonly #owners = new Uint16Array(slotCount);
  /** Owners by their numbers, and how many slots each has. A number without a slot is given to somebody else. */
  readonly #ids: string[] = [""];
  readonly #slotCounts: number[] = [slotCount];
  /** Highest epoch of each owner. */
  readonly #epochs = new Map<string, number>();
  #tags = new Map<string, string>();
  /** Claims that were judged, by node: they would be judged as before. Empty again whenever a slot changes hands. */
  readonly #judged = new Map<string, string>();
  readonly #onMoved: () => void;
  #loading: Promise<void> | undefined;

  /** @param onMoved a refresh has shown that slots have another primary */
  constructor(onMoved: () => void = () => {}) {
    this.#onMoved = onMoved;
  }

  /** Id of the primary; empty if it is not known, or outside of a cluster. */
  primaryOf(tag: string): string {
    return this.#ids[this.#owners[slotOfTag(tag)] as number] as string;
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

  /** A hash tag that belongs to a primary; undefined if it serves no slot. */
  tagOf(primary: string): string | undefined {
    if (!this.isPrimary(primary)) return undefined;
    const known = this.#tags.get(primary);
    if (known !== undefined && this.primaryOf(known) === primary) return known;
    for (let i = 0; i < tagsForAllSlots; i++) {
      if (this.primaryOf(`${i}`) !== primary) continue;
      this.#tags.set(primary, `${i}`);
      return `${i}`;
    }
    return undefined;
  }

  /** Takes in what a node sees. @returns what has changed hands; nothing for slots that nobody was known to serve */
  learn(view: ClusterView): readonly SlotMove[] {
    const moves: Moves = new Map();
    // Its nodes are all others, for instance because it was created anew: epochs cannot be compared.
    const isOtherCluster = !this.primaries.some((id) => view.nodes.has(id));
    for (const node of view.nodes.values()) {
      const { id, isPrimary, epoch, ranges } = node;
      const claim = `${epoch} ${isOtherCluster} ${ranges.join(" ")}`;
      // A view says as a rule what the last one said.
      if (!isPrimary || this.#judged.get(id) === claim) continue;
      if (this.#claim(node, isOtherCluster, moves)) this.#judged.clear();
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

  /** Gives a node the slots that it claims, unless their owners' claims count more. @returns whether it has got any */
  #claim({ id, epoch, ranges }: ClusterNode, isOtherCluster: boolean, moves: Moves): boolean {
    let own = this.#ids.indexOf(id, 1);
    let isChanged = false;
    for (const [first, last] of ranges) {
      for (let slot = first; slot <= last; ) {
        // Those that lie side by side and have one owner are judged together.
        const owner = this.#owners[slot] as number;
        const begin = slot;
        while (slot <= last && this.#owners[slot] === owner) slot++;
        const from = this.#ids[owner] as string;
        if (owner === own || (owner !== 0 && epoch <= this.epochOf(from) && !isOtherCluster)) continue;
        if (own < 0) own = this.#numberFor(id);
        this.#owners.fill(own, begin, slot);
        this.#slotCounts[owner] = (this.#slotCounts[owner] as number) - (slot - begin);
        this.#slotCounts[own] = (this.#slotCounts[own] as number) + (slot - begin);
        isChanged = true;
        if (owner !== 0) moveOf(moves, from, id).slots.add(begin, slot - 1);
      }
    }
    return isChanged;
  }

  #numberFor(id: string): number {
    const free = this.#slotCounts.indexOf(0, 1);
    const number = free < 0 ? this.#ids.length : free;
    this.#ids[number] = id;
    this.#slotCounts[number] = 0;
    return number;
  }

  #updateEpochs({ nodes }: ClusterView): void {
    const owners = new Set(this.#ids.filter((_, number) => number > 0 && this.#slotCounts[number] !== 0));
    for (const id of this.#epochs.keys()) if (!owners.has(id)) this.#epochs.delete(id);
    for (const id of owners) this.#epochs.set(id, Math.max(this.epochOf(id), nodes.get(id)?.epoch ?? 0));
  }
}

/** By from whom and to whom. */
type Moves = Map<string, SlotMove & { readonly slots: SlotRanges }>;

function moveOf(moves: Moves, from: string, to: string): SlotMove & { readonly slots: SlotRanges } {
  const key = `${from} ${to}`;
  const move = moves.get(key) ?? { from, to, slots: new SlotRanges() };
  moves.set(key, move);
  return move;
}
