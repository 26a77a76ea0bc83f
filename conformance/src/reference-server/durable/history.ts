import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CursorCommit,
  ErrorCode,
  HistoryDirection,
  type HistoryQuery,
  type Position,
  type ReplySchema,
} from "@fanfare/proto/v1";
import { checkSubscribe } from "../access.ts";
import { keyOf, required } from "../channel.ts";
import { isExpired } from "../message-body.ts";
import { Refusal } from "../refusal.ts";
import type { Session } from "../session.ts";
import type { ChannelLog, Entry, Place } from "./channel-log.ts";

type Result = MessageInitShape<typeof ReplySchema>["result"];

/** Bytes of the payloads of one page: far enough below what a WebSocket message may have. */
const pageBytes = 1024 * 1024;

/** Answers `history`. @throws Refusal */
export function history(session: Session, query: HistoryQuery): Result {
  const { breaks } = session.app;
  const channel = required(query.channel);
  if (!breaks.has("history-for-anybody")) checkSubscribe(session, channel, "history.channel");
  if (!session.app.isDurable(channel)) {
    if (breaks.has("history-of-live-channels")) return { case: "historyPage", value: {} };
    throw new Refusal(ErrorCode.FAILED_PRECONDITION, "the channel is not durable", "history.channel");
  }
  const { log, maxRewind } = session.app.durable(channel);
  if (maxRewind === 0 && !breaks.has("history-where-none-is"))
    throw new Refusal(ErrorCode.PERMISSION_DENIED, "nobody reads back here", "history.channel");
  const floor = log.rewound(maxRewind);
  if (query.from !== undefined && !breaks.has("history-from-anywhere")) checkPlace(log, query.from, "history.from");
  const isForward = (query.direction === HistoryDirection.FORWARD) !== breaks.has("history-backwards");
  const start = query.from?.offset ?? (isForward ? floor.offset : log.head.offset + 1n);
  const isFromIncluded = breaks.has("history-includes-from") && query.from !== undefined;
  const offset = isFromIncluded ? start + (isForward ? -1n : 1n) : start;
  const found = [...log.from(offset, isForward ? 1 : -1)].filter((entry) => entry.offset > floor.offset);
  const page = cut(found, query.limit || (breaks.has("history-of-ten") ? 10 : 50), breaks.has("history-limit-ignored"));
  const hasMore = page.length < found.length || (breaks.has("history-never-ends") && page.length > 0);
  const last = page.at(breaks.has("history-pages-overlap") && page.length > 1 ? -2 : -1);
  const isTold = hasMore && last !== undefined && !breaks.has("history-without-next");
  const next = isTold ? { next: { epoch: log.head.epoch, offset: last.offset, tag: last.tag } } : {};
  const messages = page.flatMap((entry) => messagesOf(entry, session));
  return { case: "historyPage", value: { messages, head: log.head, tail: floor, ...next } };

  function cut(entries: readonly Entry[], limit: number, unlimited: boolean): readonly Entry[] {
    let bytes = 0;
    const fits = (entry: Entry, i: number) => {
      bytes += entry.bytes;
      return i === 0 || bytes <= pageBytes || breaks.has("history-page-too-large");
    };
    const wanted = entries.slice(0, unlimited ? entries.length : limit);
    const end = wanted.findIndex((entry, i) => !fits(entry, i));
    return end === -1 ? wanted : wanted.slice(0, end);
  }
}

/** Answers `cursor_commit`. @throws Refusal */
export function commitCursor(session: Session, commit: CursorCommit): Result {
  const channel = required(commit.channel);
  checkSubscribe(session, channel, "cursor_commit.channel");
  if (!session.app.isDurable(channel))
    throw new Refusal(ErrorCode.FAILED_PRECONDITION, "the channel is not durable", "cursor_commit.channel");
  const position = commit.position as Position; // the validator has seen to it
  if (!session.app.breaks.has("cursor-anywhere"))
    checkPlace(session.app.durable(channel).log, position, "cursor_commit.position");
  return { case: "cursorCommitted", value: { cursor: session.app.logs.commit(keyOf(channel), session, position) } };
}

/** @throws Refusal POSITION_INVALID */
function checkPlace(log: ChannelLog, place: Place, field: string): void {
  const verdict = log.verdictOf(place);
  if (verdict === "epoch" || verdict === "forked")
    throw new Refusal(ErrorCode.POSITION_INVALID, "the position is not one of this log", field);
}

function messagesOf({ body, deleted, offset, tag, previousTag }: Entry, { app: { breaks } }: Session) {
  if (deleted && !breaks.has("history-holds-deleted")) return [];
  if (isExpired(body) && !breaks.has("history-holds-expired")) return [];
  return [{ ...body, log: { offset, tag, previousTag } }];
}
