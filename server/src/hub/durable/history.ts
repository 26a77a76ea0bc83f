import { create, fromBinary } from "@bufbuild/protobuf";
import {
  type Channel,
  type CursorCommit,
  DeliveryClass,
  ErrorCode,
  HistoryDirection,
  type HistoryPage,
  HistoryPageSchema,
  type HistoryQuery,
  LogEntrySchema,
  type Message,
  MessageSchema,
} from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../../config/channel-policy.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { fromWirePosition, toWirePosition } from "../../log/log-position.ts";
import type { LogChannel, LogItem, MessageLog } from "../../log/message-log.ts";
import { channelKey } from "../../wire/channel-key.ts";

/** Messages of a page by default, and bytes of their bodies. */
const defaultLimit = 50;
const defaultMaxBytes = 1024 * 1024;

/** What bounds a page. */
export interface PageBounds {
  /** How far from the head a player may read. Default: everything. */
  readonly maxRewind?: number;
  /** Bytes of the messages; one is on the page however large it is. Default: 1 MiB. */
  readonly maxBytes?: number;
}

/** A durable channel that may be read. */
export interface ReadableChannel {
  readonly appId: string;
  readonly channel: Channel;
  readonly policy: ChannelPolicy;
}

/** @throws FanfareError FAILED_PRECONDITION if the channel keeps no messages */
export function requireDurable(policy: ChannelPolicy): void {
  if (policy.deliveryClass === DeliveryClass.DURABLE) return;
  throw new FanfareError(ErrorCode.FAILED_PRECONDITION, "the channel is not durable: it keeps no messages");
}

/**
 * One page of a log.
 * @throws FanfareError POSITION_INVALID, UNAVAILABLE
 */
export async function readHistory(
  log: MessageLog,
  { appId, channel, policy }: ReadableChannel,
  query: HistoryQuery,
  { maxRewind = Number.MAX_SAFE_INTEGER, maxBytes = defaultMaxBytes }: PageBounds = {},
): Promise<HistoryPage> {
  const logChannel: LogChannel = { appId, key: channelKey(channel) };
  const isForward = query.direction === HistoryDirection.FORWARD;
  const { position, ...ends } = await log.rewind(logChannel, policy, maxRewind);
  let floor = position;
  const asked = query.from && fromWirePosition(query.from);
  const isBelowFloor = asked !== undefined && asked.epoch === floor.epoch && asked.offset < floor.offset;
  const from = isForward && (asked === undefined || isBelowFloor) ? floor : asked;
  const direction = isForward ? "forward" : "backward";
  const limit = query.limit || defaultLimit;
  const read = { channel: logChannel, policy, limit, maxBytes };
  let page = await log.read({ ...read, direction, from, ends });
  // What was below the floor, or at it, can have gone since: the log begins where it begins now.
  const isOvertaken = isForward && (page.verdict === "trimmed" || (asked === undefined && page.verdict !== "ok"));
  if (isOvertaken) {
    page = await log.read({ ...read, direction: "forward", from: undefined });
  }
  const { tail } = page;
  if (isOvertaken || tail.epoch !== floor.epoch || tail.offset > floor.offset) floor = tail;
  const readable = { head: toWirePosition(page.head), tail: toWirePosition(floor) };
  if (page.verdict === "trimmed") return create(HistoryPageSchema, readable); // backward, from where nothing older is left
  if (page.verdict !== "ok") throw positionInvalid();
  const messages = page.items.filter((item) => firstOffset(item) > floor.offset).flatMap(messagesOf);
  const reachesFloor = !isForward && page.next.offset <= floor.offset + 1;
  const next = page.atEnd || reachesFloor ? {} : { next: toWirePosition(page.next) };
  return create(HistoryPageSchema, { ...readable, messages, ...next });
}

/** @throws FanfareError POSITION_INVALID (FF-HI-008), UNAVAILABLE */
export async function checkCursor(
  log: MessageLog,
  { appId, channel, policy }: ReadableChannel,
  { position }: CursorCommit,
): Promise<void> {
  const from = position && fromWirePosition(position);
  const logChannel = { appId, key: channelKey(channel) };
  const { verdict } = await log.read({
    channel: logChannel,
    policy,
    direction: "forward",
    from,
    limit: 1,
    maxBytes: 1,
  });
  if (verdict === "other-epoch" || verdict === "forked") throw positionInvalid();
}

function positionInvalid(): FanfareError {
  return new FanfareError(ErrorCode.POSITION_INVALID, "the position is not one of the log as it is now");
}

function firstOffset(item: LogItem): number {
  return item.kind === "message" ? item.offset : item.toOffset;
}

function messagesOf(item: LogItem): Message[] {
  if (item.kind === "skip") return [];
  const { body, offset, tag, previousTag } = item;
  const message = fromBinary(MessageSchema, body);
  message.log = create(LogEntrySchema, { offset: BigInt(offset), tag, previousTag });
  return [message];
}
