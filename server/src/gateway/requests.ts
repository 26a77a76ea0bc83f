import { getOption, hasOption } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  CloseCode,
  ErrorCode,
  feature as featureOption,
  type RpcResult,
  type Unsubscribe,
} from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Session } from "../hub/session.ts";
import type { Ending } from "../hub/session-life.ts";
import { channelKey } from "../wire/channel-key.ts";
import type { Connection } from "./connection.ts";
import { frameViolation } from "./frame-codec.ts";
import { commitCursor, history } from "./log-requests.ts";
import { queryPresence, updatePresence } from "./presence-requests.ts";
import { publish } from "./publish-request.ts";
import { changeLater, type Requester, reply, required } from "./requester.ts";
import { subscribe } from "./subscribe-request.ts";

/** By the kind of a client's frame, the feature that has to be in force. */
const featureOfKind = new Map<string, string>(
  ClientFrameSchema.fields
    .filter((field) => hasOption(field, featureOption))
    .map((field) => [field.localName, getOption(field, featureOption)]),
);

/** Kinds that no `reply` answers, whatever their id is (FF-FR-003). */
const unanswered: ReadonlySet<string> = new Set(["hello", "ping", "pong", "rpcResult", "disconnect"]);

/** Kinds that change what a session has, or lives by. */
const changing: ReadonlySet<string> = new Set(["subscribe", "unsubscribe", "presenceUpdate", "refresh"]);

/** The id that a refusal of this frame is answered under; 0: it goes into an `error` frame. */
function replyIdOf({ id, kind }: ClientFrame): number {
  return kind.case !== undefined && unanswered.has(kind.case) ? 0 : id;
}

/**
 * Handles one frame of an open connection. Never throws.
 * @param limited set while the connection has sent too much: what requests are refused with
 */
export function handleRequest(connection: Connection, frame: ClientFrame, limited?: FanfareError): void {
  const { session, app } = connection;
  if (session === undefined || app === undefined) return;
  const kind = frame.kind.case;
  if (kind === "hello") {
    return connection.refuse(new FanfareError(ErrorCode.FAILED_PRECONDITION, "hello is sent once"));
  }
  if (session.departed && kind !== undefined && changing.has(kind)) {
    // The session is what the welcome of its next connection says; what is left here is answered by the end of this one (FF-GO-021).
    if (frame.id !== 0) connection.pendingRequests.add(frame.id);
    return;
  }
  if (limited !== undefined && kind === "ping") return;
  try {
    if (limited !== undefined && kind !== "pong" && kind !== "disconnect") throw limited;
    check(connection, session, frame);
    dispatch({ connection, session, app }, frame);
  } catch (reason) {
    connection.sendError(replyIdOf(frame), fromFrameOn(frame, FanfareError.from(reason)));
  }
}

/** Handles a frame that has waited for a subscription of its channel. */
export function handleWaiting(connection: Connection, frame: ClientFrame): void {
  connection.pendingRequests.delete(frame.id);
  if (connection.isOpen) handleRequest(connection, frame);
}

/** The error with the path of its field from the frame on; below the gateway it is named from the request on. */
function fromFrameOn({ kind }: ClientFrame, error: FanfareError): FanfareError {
  const name = kind.case === undefined ? undefined : protoNameOfKind.get(kind.case);
  const { code, message, field, retryAfterMs, cause } = error;
  if (name === undefined || field === "" || field === "id" || field.startsWith(`${name}.`)) return error;
  return new FanfareError(code, message, { field: `${name}.${field}`, retryAfterMs, cause });
}

const protoNameOfKind = new Map<string, string>(
  ClientFrameSchema.fields.map(({ localName, name }) => [localName, name]),
);

function check(connection: Connection, session: Session, frame: ClientFrame): void {
  const { kind } = frame;
  if (kind.case === undefined) return;
  const feature = featureOfKind.get(kind.case);
  if (feature !== undefined && !session.features.has(feature)) {
    throw new FanfareError(ErrorCode.UNIMPLEMENTED, `the feature ${feature} is not in force`);
  }
  const id = replyIdOf(frame);
  if (connection.pendingRequests.size === 0 || id === 0) return;
  if (connection.pendingRequests.has(id)) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "a request with this id waits for its reply", { field: "id" });
  }
  const { maxPendingRequests } = connection.context.config.limits;
  if (connection.pendingRequests.size >= maxPendingRequests) {
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `${maxPendingRequests} requests wait for their replies`);
  }
}

function dispatch(requester: Requester, frame: ClientFrame): void {
  const { connection, session, app } = requester;
  const { id, kind } = frame;
  const violation = frameViolation(frame);
  if (violation !== undefined) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, violation.message, { field: violation.field });
  }
  const waits = connection.gates.hold(frame);
  if (waits === "full") throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, "too many requests wait for a subscription");
  if (waits) {
    if (id !== 0) connection.pendingRequests.add(id);
    if (kind.case === "publish") requester.session.results.wait(Number(kind.value.seq), kind.value.volatile);
    return;
  }
  switch (kind.case) {
    case "publish":
      return publish(requester, id, kind.value);
    case "ping":
      return answerPing(connection, id, kind.value.sentAtUs);
    case "pong":
      return connection.heartbeat?.pong(id, kind.value);
    case "subscribe":
      return subscribe(requester, id, kind.value);
    case "unsubscribe":
      return unsubscribe(requester, frame, kind.value);
    case "rpcResult":
      return answerCall(session, id, kind.value);
    case "presence":
      return queryPresence(requester, id, kind.value);
    case "presenceUpdate":
      return updatePresence(requester, id, kind.value);
    case "history":
      return history(requester, id, kind.value);
    case "cursorCommit":
      return commitCursor(requester, id, kind.value);
    case "refresh":
      return refresh(requester, id, kind.value.token);
    case "disconnect":
      return app.hub.end(session, disconnected(kind.value.reason));
    case undefined:
      if (id !== 0) throw new FanfareError(ErrorCode.UNIMPLEMENTED, "the kind of this frame is not known here");
      connection.context.counters.framesIgnored++;
      return;
    default:
      throw new FanfareError(ErrorCode.UNIMPLEMENTED, `${kind.case} is not served here`);
  }
}

/** Ends a subscription, behind what this connection has published to the channel before. */
function unsubscribe({ connection, session, app }: Requester, frame: ClientFrame, { channel }: Unsubscribe): void {
  const key = channelKey(required(channel));
  const dispatched = app.router.dispatched(key);
  if (dispatched !== undefined && session.subscriptions.has(key)) {
    connection.gates.close(key, dispatched);
    if (connection.gates.hold(frame) !== true)
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, "too many requests wait");
    if (frame.id !== 0) connection.pendingRequests.add(frame.id);
    return;
  }
  app.hub.subscriptions.closeByClient(session, required(channel));
  reply(connection, frame.id, { case: "unsubscribed", value: {} });
}

function answerPing(connection: Connection, id: number, pingSentAtUs: bigint): void {
  const nowUs = BigInt(Math.round(connection.context.clock.nowMs() * 1000));
  connection.send({ id, kind: { case: "pong", value: { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs } } });
}

function answerCall(session: Session, id: number, result: RpcResult): void {
  session.calls.answer(id, result); // nobody may wait for it any more
}

/** Refreshes of one connection that wait for each other; one more is refused. */
const maxRefreshes = 4;

/** Takes a new token. One after the other, so that of two the later one holds. */
function refresh(requester: Requester, id: number, token: string): void {
  const { connection, session, app } = requester;
  if (connection.refreshes.count >= maxRefreshes) {
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `${maxRefreshes} refreshes wait for their replies`);
  }
  connection.refreshes.count++;
  const before = connection.refreshes.last;
  const work = async (): Promise<void> => {
    await before;
    const credentials = await connection.context.authenticate(token).finally(() => connection.refreshes.count--);
    connection.context.checkStanding(credentials);
    if (credentials.appId !== session.appId || credentials.playerId !== session.playerId) {
      throw new FanfareError(ErrorCode.PERMISSION_DENIED, "the token is of another app or player", {
        field: "refresh.token",
      });
    }
    if (session.ended || session.departed || session.link !== connection) return;
    connection.expireAt(credentials.expiresAtMs);
    reply(connection, id, { case: "refreshed", value: { tokenExpiresAtMs: BigInt(credentials.expiresAtMs) } });
    app.hub.applyCredentials(session, credentials);
    app.sessions?.extend(session);
  };
  connection.refreshes.last = changeLater(requester, id, work);
}

function disconnected(reason: string): Ending {
  const code = CloseCode.DISCONNECTED;
  return { reason: "left", code, message: reason || "the client has disconnected", tombstone: code };
}
