import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PresencePageSchema } from "@fanfare/proto/v1";

type Page = MessageInitShape<typeof PresencePageSchema>;

const defaultPageSize = 100;

/**
 * One page of a channel's presence out of those of all nodes, each in the order of the members' origins and from the same place. Of two entries of one
 * session the one with the higher generation counts.
 */
export function mergePresence(pages: readonly Page[], { pageSize }: { readonly pageSize: number }): Page {
  const size = pageSize || defaultPageSize;
  const members = new Map<bigint, NonNullable<Page["members"]>[number]>();
  for (const page of pages) {
    for (const member of page.members ?? []) {
      const origin = member.origin ?? 0n;
      const known = members.get(origin);
      if (known === undefined || (member.generation ?? 0) > (known.generation ?? 0)) members.set(origin, member);
    }
  }
  const ordered = [...members.values()].sort((a, b) => ((a.origin ?? 0n) < (b.origin ?? 0n) ? -1 : 1));
  const shown = ordered.slice(0, size);
  const hasMore = ordered.length > size || pages.some((page) => (page.nextPageToken ?? "") !== "");
  return {
    members: shown,
    sessions: total(pages, ({ sessions }) => sessions),
    players: playersOf(pages, ordered),
    nextPageToken: hasMore && shown.length > 0 ? `${shown.at(-1)?.origin}` : "",
  };
}

/** A player with sessions on two nodes is one, where all members are at hand; else nodes can only be added up. */
function playersOf(pages: readonly Page[], members: readonly { playerId?: string | undefined }[]): number {
  const added = total(pages, ({ players }) => players);
  const isComplete = members.length === total(pages, ({ sessions }) => sessions);
  return isComplete && members.length > 0 ? new Set(members.map(({ playerId }) => playerId)).size : added;
}

function total(pages: readonly Page[], of: (page: Page) => number | undefined): number {
  return pages.reduce((sum, page) => sum + (of(page) ?? 0), 0);
}
