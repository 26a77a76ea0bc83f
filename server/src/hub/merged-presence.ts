import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PresenceMember, PresencePage, PresencePageSchema } from "@fanfare/proto/v1";
import { onePage } from "./presence-paging.ts";

const defaultPageSize = 100;

/**
 * One page of a channel's presence out of those of all nodes, each in the order of the members' origins and from the same place. It ends where the first
 * node's page ends that is not its last: how far that reaches is up to the bytes of its members; and where it has as many bytes as a node's page may have.
 * Of two entries of one session the one with the higher generation counts.
 * @param differentPlayers on all nodes, if that is known; default: what the pages tell
 */
export function mergePresence(
  pages: readonly PresencePage[],
  { pageSize }: { readonly pageSize: number },
  differentPlayers?: number,
): MessageInitShape<typeof PresencePageSchema> {
  const size = pageSize || defaultPageSize;
  const members = new Map<bigint, PresenceMember>();
  for (const page of pages) {
    for (const member of page.members) {
      const known = members.get(member.origin);
      if (known === undefined || member.generation > known.generation) members.set(member.origin, member);
    }
  }
  const ordered = [...members.values()].sort((a, b) => (a.origin < b.origin ? -1 : 1));
  const unfinished = pages.flatMap(({ nextPageToken }) => (nextPageToken === "" ? [] : [BigInt(nextPageToken)]));
  const isReached = ({ origin }: PresenceMember) => unfinished.every((end) => origin <= end);
  const shown = [...onePage(ordered.filter(isReached).slice(0, size))];
  const hasMore = shown.length < ordered.length || unfinished.length > 0;
  const sessions = total(pages, (page) => page.sessions);
  // Where all members are at hand, a session that is just moving counts once, and so does a player with sessions on two nodes.
  const isComplete = sessions > 0 && total(pages, (page) => page.members.length) === sessions;
  const players = total(pages, (page) => page.players);
  return {
    members: shown,
    sessions: isComplete ? ordered.length : sessions,
    players: isComplete ? new Set(ordered.map(({ playerId }) => playerId)).size : (differentPlayers ?? players),
    nextPageToken: hasMore && shown.length > 0 ? `${shown.at(-1)?.origin}` : "",
  };
}

function total(pages: readonly PresencePage[], of: (page: PresencePage) => number): number {
  return pages.reduce((sum, page) => sum + of(page), 0);
}
