import type { MessageInitShape } from "@bufbuild/protobuf";
import { ErrorCode, type Payload, type ReplySchema } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Session } from "../hub/session.ts";
import type { Connection } from "./connection.ts";
import type { GatewayApp } from "./gateway-context.ts";

/** An open connection and what belongs to it. */
export interface Requester {
  readonly connection: Connection;
  readonly session: Session;
  readonly app: GatewayApp;
}

/** Queues the answer to a request. */
export function reply(
  connection: Connection,
  id: number,
  result: MessageInitShape<typeof ReplySchema>["result"],
): void {
  if (id !== 0) connection.send({ id, kind: { case: "reply", value: { result } } });
}

/**
 * Does what takes time; until it is done the request's id is taken. What it throws is the answer.
 * @returns settles when it is done, and never rejects
 */
export function answerLater({ connection }: Requester, id: number, work: () => Promise<void>): Promise<void> {
  if (id !== 0) connection.pendingRequests.add(id);
  return work()
    .catch((reason: unknown) => connection.sendError(id, FanfareError.from(reason)))
    .finally(() => connection.pendingRequests.delete(id));
}

/**
 * As {@link answerLater}, for what changes the session. If that is taken over by another connection meanwhile, the answer would come too late to be true:
 * there is none (FF-GO-021).
 */
export function changeLater(requester: Requester, id: number, work: () => Promise<void>): Promise<void> {
  return answerLater(requester, id, () =>
    work().catch((reason: unknown) => {
      if (!requester.session.departed) throw reason;
    }),
  );
}

/** @throws FanfareError TOO_LARGE */
export function checkPayload(payload: Payload, maxBytes: number): void {
  const { data } = payload;
  const length = typeof data.value === "string" ? Buffer.byteLength(data.value) : (data.value?.length ?? 0);
  if (length <= maxBytes) return;
  throw new FanfareError(ErrorCode.TOO_LARGE, `the payload has ${length} bytes; at most ${maxBytes} are allowed`);
}

/** A field that the validator has seen to. @throws FanfareError INVALID_ARGUMENT */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "a required field is missing");
  return value;
}
