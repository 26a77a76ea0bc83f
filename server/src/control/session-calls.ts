import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { CallPlayerRequest, ControlService, SessionSchema } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { AppHub } from "../hub/app-hub.ts";
import type { Session } from "../hub/session.ts";
import type { SessionLink } from "../hub/session-link.ts";
import { groupOf } from "../wire/channel-key.ts";
import { payloadBytes } from "../wire/payload-bytes.ts";
import { appOf } from "./caller-context.ts";
import type { ControlNode } from "./control-context.ts";
import { pageOf } from "./page.ts";

type SessionCalls = Pick<ServiceImpl<typeof ControlService>, "listSessions" | "callPlayer">;

/** The feature without which a client answers no calls. */
const feature = "server_rpc";

/** Who is connected, and calls to them. */
export function sessionCalls(node: ControlNode): SessionCalls {
  return {
    listSessions(request, context) {
      const { hub } = appOf(node, context);
      const all = request.playerId === "" ? hub.sessions.values() : hub.sessionsOf(request.playerId);
      const { items, nextPageToken } = pageOf("sessions", all, ({ id }) => id, request);
      return { sessions: items.map((session) => describe(session, node.config.nodeId)), nextPageToken };
    },

    async callPlayer(request, context) {
      const { hub } = appOf(node, context);
      const { rpc } = request;
      if (rpc === undefined) throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "rpc has to be set", { field: "rpc" });
      const { maxPayloadBytes } = node.config.limits;
      if (payloadBytes(rpc.payload) > maxPayloadBytes) {
        const message = `the payload is larger than ${maxPayloadBytes} bytes`;
        throw new FanfareError(ErrorCode.TOO_LARGE, message, { field: "rpc.payload" });
      }
      const { session, link } = callee(hub, request);
      return { result: await session.calls.call(link, rpc), sessionId: session.id };
    },
  };
}

function describe(session: Session, nodeId: string): MessageInitShape<typeof SessionSchema> {
  const { link } = session;
  return {
    sessionId: session.id,
    playerId: session.playerId,
    origin: session.origin,
    nodeId,
    connected: link !== undefined,
    startedAtMs: BigInt(Math.trunc(session.startedAtMs)),
    groups: [...session.subscriptions.keys()].map(groupOf).filter((group) => group !== undefined),
    client: link?.clientInfo ?? "",
    roundTripUs: Math.round(link?.roundTripUs ?? 0),
    queuedBytes: link?.queuedBytes ?? 0,
  };
}

/** @throws FanfareError PLAYER_OFFLINE, or for a session that was named NOT_FOUND or UNIMPLEMENTED */
function callee(hub: AppHub, request: CallPlayerRequest): { session: Session; link: SessionLink } {
  const { playerId, sessionId } = request;
  return sessionId === "" ? newestCallee(hub, playerId) : namedCallee(hub, playerId, sessionId);
}

/** The session of a player here that was connected last and answers calls. @throws FanfareError PLAYER_OFFLINE */
export function newestCallee(hub: AppHub, playerId: string): { session: Session; link: SessionLink } {
  let newest: { session: Session; link: SessionLink } | undefined;
  for (const session of hub.sessionsOf(playerId)) {
    const { link } = session;
    if (link === undefined || !session.features.has(feature)) continue;
    if (newest === undefined || session.connectedAtMs >= newest.session.connectedAtMs) newest = { session, link };
  }
  if (newest !== undefined) return newest;
  throw new FanfareError(ErrorCode.PLAYER_OFFLINE, `the player has no connected session with the feature ${feature}`);
}

function namedCallee(hub: AppHub, playerId: string, sessionId: string): { session: Session; link: SessionLink } {
  const session = hub.sessions.get(sessionId);
  if (session?.playerId !== playerId) {
    throw new FanfareError(ErrorCode.NOT_FOUND, "the player has no session of this id", { field: "session_id" });
  }
  const { link } = session;
  if (link === undefined) throw new FanfareError(ErrorCode.PLAYER_OFFLINE, "the session has no connection");
  if (session.features.has(feature)) return { session, link };
  throw new FanfareError(ErrorCode.UNIMPLEMENTED, `the session's client does not claim the feature ${feature}`);
}
