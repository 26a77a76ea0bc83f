import { getOption, hasOption, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  CloseCode,
  ErrorCode,
  feature as featureOption,
  type ReplySchema,
  type RpcResult,
} from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { keyOf, required } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { commitCursor, history } from "./durable/history.ts";
import { shakeHands } from "./handshake.ts";
import { answerLater, checkPending, isLate, refusing } from "./pending-requests.ts";
import { queryPresence, snapshot, updatePresence } from "./presence.ts";
import { publish } from "./publish.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import { applyClaims } from "./standing.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";
import { verifyToken } from "./verify-token.ts";

type Result = MessageInitShape<typeof ReplySchema>["result"];

const validate = validatorFor(ClientFrameSchema);
const featureOf = new Map(
  ClientFrameSchema.fields
    .filter((field) => hasOption(field, featureOption))
    .map((field) => [field.localName, getOption(field, featureOption)]),
);

/** Handles one frame of an open connection. */
export function handleFrame(connection: Connection, session: Session, frame: ClientFrame, limited?: Refusal): void {
  const { kind } = frame;
  if (limited !== undefined && kind.case === "ping") return;
  refusing(connection, frame, () => {
    if (limited !== undefined && kind.case !== "pong") throw limited;
    if (kind.case !== "hello") check(connection, session, frame);
    const act = () => answer(connection, session, frame);
    if (isLate(frame, connection.breaks)) answerLater(connection, frame, act);
    else act();
  });
}

/** @throws Refusal */
function answer(connection: Connection, session: Session, frame: ClientFrame): void {
  const { breaks } = connection;
  const { id, kind } = frame;
  const result = handle(connection, session, frame);
  if (result === undefined || (id === 0 && !breaks.has("reply-to-no-id"))) return;
  connection.send({ case: "reply", value: { result } }, id);
  if (breaks.has("reply-twice")) connection.send({ case: "reply", value: { result } }, id);
  if (kind.case === "subscribe" && result.case === "subscribed" && kind.value.channel) {
    if (result.value.presence) snapshot(session, kind.value.channel);
    session.subscriptions.get(keyOf(kind.value.channel))?.reader?.wake();
  }
}

/** @throws Refusal */
function check(connection: Connection, session: Session, frame: ClientFrame): void {
  const { breaks } = connection;
  const { id, kind } = frame;
  const feature = featureOf.get(kind.case ?? "");
  if (feature !== undefined && !session.features.has(feature) && kind.case !== "rpcResult") {
    if (breaks.has("unserved-kind-ignored")) throw new Refusal(ErrorCode.FAILED_PRECONDITION, "not now");
    throw new Refusal(ErrorCode.UNIMPLEMENTED, `the feature ${feature} is not in force`);
  }
  if (kind.case === undefined && id !== 0 && !breaks.has("unknown-kind-unanswered")) {
    throw new Refusal(ErrorCode.UNIMPLEMENTED, "the kind is not known");
  }
  const violation = validate(frame);
  if (violation === undefined) return checkPending(connection, frame);
  if (breaks.has("bounds-unchecked") || (breaks.has("seq-past-53-bits") && violation.field === "publish.seq")) return;
  const field = breaks.has("field-not-named") ? "" : violation.field;
  throw new Refusal(ErrorCode.INVALID_ARGUMENT, violation.message, field);
}

/** @throws Refusal */
function handle(connection: Connection, session: Session, { id, kind }: ClientFrame): Result | undefined {
  const { breaks } = connection;
  switch (kind.case) {
    case undefined:
      if (breaks.has("unknown-kind-closes")) connection.close(CloseCode.PROTOCOL_ERROR, "what is this?");
      return undefined;
    case "hello":
      if (breaks.has("second-hello-welcome")) shakeHands(connection, { id, kind } as ClientFrame);
      else connection.refuse(new Refusal(ErrorCode.FAILED_PRECONDITION, "a second hello"), CloseCode.PROTOCOL_ERROR);
      return undefined;
    case "ping":
      pong(connection, id, kind.value.sentAtUs);
      return undefined;
    case "pong":
      if (breaks.has("unasked-pong-is-an-error"))
        throw new Refusal(ErrorCode.FAILED_PRECONDITION, "nobody waits for it");
      return undefined;
    case "rpcResult":
      answerCall(connection, id, kind.value);
      return undefined;
    case "subscribe":
      return { case: "subscribed", value: subscribe(session, kind.value, "subscribe") };
    case "unsubscribe":
      unsubscribe(session, required(kind.value.channel));
      return { case: "unsubscribed", value: {} };
    case "publish":
      return publish(session, kind.value);
    case "presence":
      return queryPresence(session, kind.value);
    case "presenceUpdate":
      return updatePresence(session, kind.value);
    case "rpc":
      if (breaks.has("call-of-a-player-answered-by-itself"))
        return { case: "rpcResult", value: { result: { case: "payload", value: {} } } };
      throw new Refusal(ErrorCode.BACKEND_UNAVAILABLE, "no backend answers calls");
    case "history":
      return history(session, kind.value);
    case "cursorCommit":
      return commitCursor(session, kind.value);
    case "refresh":
      return refresh(connection, session, kind.value.token);
    case "disconnect":
      disconnect(connection);
      return undefined;
  }
}

function pong(connection: Connection, id: number, pingSentAtUs: bigint): void {
  const { breaks } = connection;
  if (id === 0 && breaks.has("no-pong-for-id-0")) return;
  const nowUs = breaks.has("pong-without-times") ? 0n : BigInt(Date.now()) * 1000n;
  connection.send({ case: "pong", value: { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs } }, id);
}

/** @throws Refusal */
function refresh(connection: Connection, session: Session, token: string): Result {
  const { breaks, server } = connection;
  try {
    const claims = verifyToken(token, server.tokens, breaks);
    const isOwn = claims.app === session.app.id && claims.player === session.player;
    if (!isOwn && !breaks.has("refresh-of-another-player")) {
      throw new Refusal(ErrorCode.PERMISSION_DENIED, "the token is of another player", "refresh.token");
    }
    if (session.app.isRevoked(claims)) throw new Refusal(ErrorCode.TOKEN_REVOKED, "the token was revoked");
    connection.expireAt(claims.expiresAtMs);
    setImmediate(() => applyClaims(session, claims));
    return { case: "refreshed", value: { tokenExpiresAtMs: BigInt(Math.round(claims.expiresAtMs)) } };
  } catch (error) {
    if (breaks.has("bad-refresh-closes")) connection.close(CloseCode.UNAUTHENTICATED);
    throw error;
  }
}

function answerCall(connection: Connection, id: number, result: RpcResult): void {
  const isUnknown = result.result.case === "error" && ErrorCode[result.result.value.code] === undefined;
  if (isUnknown && connection.breaks.has("unknown-enum-refused")) return connection.close(CloseCode.PROTOCOL_ERROR);
  const isAwaited = connection.calls.answer(id, result);
  if (!isAwaited && connection.breaks.has("late-results-are-errors")) {
    connection.fail(0, new Refusal(ErrorCode.FAILED_PRECONDITION, "nobody waits for this"));
  }
  if (connection.breaks.has("results-have-a-reply"))
    connection.send({ case: "reply", value: { result: { case: "unsubscribed", value: {} } } }, id);
}

function disconnect(connection: Connection): void {
  if (connection.breaks.has("disconnect-closes-normally")) return connection.close(1000);
  connection.close(CloseCode.DISCONNECTED, "the client has disconnected");
}
