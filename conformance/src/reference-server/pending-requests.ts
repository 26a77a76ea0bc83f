import { type ClientFrame, ErrorCode } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

/** Kinds that no reply answers. */
const unanswered: ReadonlySet<string> = new Set(["hello", "ping", "pong", "rpcResult", "disconnect"]);

/** Does something for a frame; where it is refused, the client is told. */
export function refusing(connection: Connection, { id, kind }: ClientFrame, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    connection.fail(kind.case !== undefined && unanswered.has(kind.case) ? 0 : id, error);
  }
}

/** A server may have to wait for what a token or a log needs: this one answers `refresh` a turn later, so that requests can be pending. */
export function isLate({ kind }: ClientFrame, breaks: Breaks): boolean {
  if (kind.case === "publish") return breaks.has("publishes-reordered") && kind.value.seq % 2n === 1n;
  return kind.case === "refresh" || (kind.case === "unsubscribe" && breaks.has("unsubscribe-handled-late"));
}

/** Answers in a later turn; until then the request waits for its reply. */
export function answerLater(connection: Connection, frame: ClientFrame, action: () => void): void {
  const { id } = frame;
  const token = {};
  if (id !== 0) connection.pending.set(id, token);
  setImmediate(() => {
    const isWaiting = id === 0 || connection.pending.get(id) === token;
    if (!isWaiting || !connection.isAlive) return;
    connection.pending.delete(id);
    refusing(connection, frame, action);
  });
}

/** @throws Refusal for an id that is in use, and where as many requests wait as may */
export function checkPending(connection: Connection, { id, kind }: ClientFrame): void {
  const { breaks, pending, server } = connection;
  if (id === 0 || kind.case === undefined || unanswered.has(kind.case)) return;
  if (pending.has(id)) {
    if (breaks.has("pending-id-takes-over")) pending.delete(id);
    throw new Refusal(ErrorCode.INVALID_ARGUMENT, "a request under this id waits for its reply", "id");
  }
  if (pending.size < server.settings.limits.maxPendingRequests) return;
  const code = breaks.has("past-the-pending-unavailable") ? ErrorCode.UNAVAILABLE : ErrorCode.LIMIT_EXCEEDED;
  throw new Refusal(code, "as many requests wait as may");
}
