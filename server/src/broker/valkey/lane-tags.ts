import { slotCount } from "../../valkey/hash-slot.ts";
import { tagFrom } from "../../valkey/spread-tags.ts";

/** Most lanes of a node. */
export const maxLanes = 64;

/**
 * Hash tags of lanes, the same in every release. They are spread evenly over the slots, however many there are: each next one is in the middle of
 * a widest gap, so that neighbours by number are far from each other, on different shards.
 */
export const laneTags: readonly string[] = Array.from({ length: maxLanes }, (_, lane) =>
  tagFrom((reversedBits(lane) * slotCount) / maxLanes),
);

/** The six bits of a number from right to left. */
function reversedBits(lane: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 6; bit++) reversed |= ((lane >> bit) & 1) << (5 - bit);
  return reversed;
}
