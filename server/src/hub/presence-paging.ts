import type { Payload, PresenceLeave, PresenceMember } from "@fanfare/proto/v1";
import { payloadBytes } from "../wire/payload-bytes.ts";
import type { PresenceWord } from "./presence-audience.ts";

/** Members in one frame, at the most. */
const maxFrameMembers = 256;
/** About how many bytes one frame has at the most, unless one member alone has more; far below what FF-TR-012 allows. */
export const maxFrameBytes = 256 * 1024;
/** What a member takes beside its names and data, generously. */
const memberOverhead = 32;

/** One change of a section. */
export type PresenceChange =
  | { readonly kind: "joined" | "updated"; readonly member: PresenceMember }
  | { readonly kind: "left"; readonly leave: PresenceLeave };

/** The whole of a section, cut into frames. */
export function snapshotWords(
  section: bigint,
  number: bigint,
  all: Iterable<PresenceMember>,
  maxBytes: number,
): PresenceWord[] {
  const pages = framesFull([...all], memberBytes, { maxBytes });
  if (pages.length === 0) pages.push([]);
  return pages.map((members, i) => ({
    case: "snapshot",
    value: { section, number, members, first: i === 0, last: i === pages.length - 1 },
  }));
}

/** Changes of a section, cut into frames; the first has the number behind `number`. */
export function diffWords(
  section: bigint,
  number: bigint,
  changes: readonly PresenceChange[],
  maxBytes: number,
): PresenceWord[] {
  return framesFull(changes, changeBytes, { maxBytes }).map((part, i) => ({
    case: "diff",
    value: {
      section,
      number: number + BigInt(i) + 1n,
      joined: part.flatMap((change) => (change.kind === "joined" ? [change.member] : [])),
      updated: part.flatMap((change) => (change.kind === "updated" ? [change.member] : [])),
      left: part.flatMap((change) => (change.kind === "left" ? [change.leave] : [])),
    },
  }));
}

/** As many of the first members as fit into one frame. */
export function onePage(members: readonly PresenceMember[]): readonly PresenceMember[] {
  return framesFull(members, memberBytes, { maxItems: Number.POSITIVE_INFINITY })[0] ?? [];
}

function changeBytes(change: PresenceChange): number {
  return change.kind === "left" ? memberOverhead + change.leave.playerId.length : memberBytes(change.member);
}

function memberBytes({ playerId, data }: { readonly playerId: string; readonly data?: Payload | undefined }): number {
  return memberOverhead + playerId.length + (data?.type.length ?? 0) + payloadBytes(data);
}

/** Cuts a list into parts of which each fits into one frame. */
function framesFull<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  { maxItems = maxFrameMembers, maxBytes = maxFrameBytes }: { maxItems?: number; maxBytes?: number },
): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    if (part.length > 0 && (part.length >= maxItems || bytes + more > maxBytes)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += more;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
