import { type Channel, type CursorCommit, ErrorCode, type HistoryQuery } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { checkCursor, type ReadableChannel, readHistory, requireDurable } from "../hub/durable/history.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { fromWirePosition, toWirePosition } from "../log/log-position.ts";
import { channelKey } from "../wire/channel-key.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { Connection } from "./connection.ts";
import { frameLength } from "./join-frames.ts";
import { answerLater, type Requester, reply, required } from "./requester.ts";

/** Bytes of the messages on a page at most. */
const maxPageBytes = 1024 * 1024;
/** Of the bytes of a send queue: what may wait before a page, what a page is to have, and what it may have with all that stands around its messages. */
const mayWait = 1 / 4;
const pageShare = 1 / 2;
const maxPageShare = 5 / 8;
/** The last page that is read for a connection: the next is read when that has left, so that many do not meet in memory, or in the queue. */
const lastPages = new WeakMap<Connection, Promise<void>>();

/** Reads a log without subscribing it. @throws FanfareError */
export function history(requester: Requester, id: number, query: HistoryQuery): void {
  const { connection } = requester;
  const readable = requireReadable(requester, required(query.channel));
  if (readable.policy.maxRewind === 0) {
    throw new FanfareError(ErrorCode.PERMISSION_DENIED, "the namespace does not let players read history (max_rewind)");
  }
  if (id === 0) return; // nobody would get the page, and nothing bounds how many are asked for
  const { sendQueueBytes } = connection.context.config.limits;
  const page = async (): Promise<void> => {
    await roomFor(connection, sendQueueBytes * mayWait);
    if (!connection.isAlive) return;
    const frame = await pageFrame(requester, id, readable, query);
    const beside = Math.max(0, sendQueueBytes - frameLength(frame, connection.format));
    await roomFor(connection, Math.min(sendQueueBytes * mayWait, beside));
    if (connection.isAlive) connection.enqueue(frame);
  };
  const inTurn = (lastPages.get(connection) ?? Promise.resolve()).then(page);
  lastPages.set(
    connection,
    inTurn.catch(() => {}),
  );
  answerLater(requester, id, () => inTurn);
}

/**
 * A page that the queue has room for, in the form that the connection is sent: JSON can take several times the bytes that the log counts. One message
 * is on it however large it is.
 */
async function pageFrame(
  { connection, app }: Requester,
  id: number,
  readable: ReadableChannel,
  query: HistoryQuery,
): Promise<OutboundFrame> {
  const { maxRewind } = readable.policy;
  const { sendQueueBytes } = connection.context.config.limits;
  const wanted = sendQueueBytes * pageShare;
  let maxBytes = Math.min(maxPageBytes, wanted);
  for (;;) {
    const value = await readHistory(app.hub.messageLog, readable, query, { maxRewind, maxBytes });
    const frame = encodeFrame({ id, kind: { case: "reply", value: { result: { case: "historyPage", value } } } });
    const length = frameLength(frame, connection.format);
    if (length <= sendQueueBytes * maxPageShare || value.messages.length <= 1) return frame;
    maxBytes = Math.floor((Math.min(maxBytes, frame.bytes.length) * wanted) / length);
  }
}

/** Settles when no more than this waits for the connection, or it is gone. */
async function roomFor(connection: Connection, bytes: number): Promise<void> {
  while (connection.isAlive && connection.queuedBytes > bytes) {
    await connection.writable();
    await new Promise<void>((resolve) => connection.context.clock.defer(resolve));
  }
}

/** Keeps how far the player has read. @throws FanfareError */
export function commitCursor(requester: Requester, id: number, commit: CursorCommit): void {
  const { connection, session, app } = requester;
  const channel = required(commit.channel);
  const position = fromWirePosition(required(commit.position));
  const readable = requireReadable(requester, channel);
  const { messageLog, cursors, appId } = app.hub;
  answerLater(requester, id, async () => {
    await checkCursor(messageLog, readable, commit);
    const cursor = await cursors.commit({ appId, key: channelKey(channel) }, session.playerId, position);
    reply(connection, id, { case: "cursorCommitted", value: { cursor: toWirePosition(cursor) } });
  });
}

/** @throws FanfareError UNKNOWN_NAMESPACE, PERMISSION_DENIED, FAILED_PRECONDITION */
function requireReadable({ session, app }: Requester, channel: Channel): ReadableChannel {
  const policy = app.hub.namespaces.policyFor(channel);
  if (policy === undefined) throw unknownNamespace(channel);
  if (!app.hub.subscriptions.isAllowed(session, channel)) {
    throw new FanfareError(ErrorCode.PERMISSION_DENIED, "this player may not receive the channel");
  }
  requireDurable(policy);
  return { appId: app.hub.appId, channel, policy };
}
