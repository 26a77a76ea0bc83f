import { slotCount, slotOfTag } from "./hash-slot.ts";

/** Slots around a wanted one of which any will do. */
const width = slotCount / 64;

/** The first of the tags `0`, `1`, ... whose slot is one of the 256 from here on. */
export function tagFrom(slot: number): string {
  for (let i = 0; ; i++) {
    const distance = slotOfTag(`${i}`) - slot;
    if (distance >= 0 && distance < width) return `${i}`;
  }
}

/** So many tags, each in the middle of an equal part of the slots. */
export function evenTags(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => tagFrom(Math.round(((i + 0.5) * slotCount) / count - width / 2)));
}
