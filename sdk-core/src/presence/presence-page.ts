import type { WaitOptions } from "../requests.ts";
import type { PresencePage as WirePage } from "../wire/schema.ts";
import { PresenceMember } from "./roster.ts";

/** Which page of a channel's presence. */
export interface PresenceQueryOptions extends WaitOptions {
  /** Members on a page, at most 1,000. Default: 100. */
  pageSize?: number | undefined;
  /** {@link PresencePage.nextPageToken} of the page before. Default: the first page. */
  pageToken?: string | undefined;
  /** Counts alone. Default: false. */
  countsOnly?: boolean | undefined;
}

/** A page of who is in a channel. */
export interface PresencePage {
  /** In no order that means anything. */
  readonly members: readonly PresenceMember[];
  /** Sessions in the channel, on all pages. */
  readonly sessions: number;
  /** Different players among them. */
  readonly players: number;
  /** Asks for the next page; undefined: this was the last. */
  readonly nextPageToken: string | undefined;
}

/** A page as it came. */
export function toPresencePage(page: WirePage | undefined): PresencePage {
  const { members = [], sessions = 0, players = 0, nextPageToken = "" } = page ?? {};
  return {
    members: members.map((member) => new PresenceMember(member)),
    sessions,
    players,
    nextPageToken: nextPageToken || undefined,
  };
}
