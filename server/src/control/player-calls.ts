import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { CloseCode } from "@fanfare/proto/v1";
import type { Session } from "../hub/session.ts";
import type { Ending } from "../hub/session-life.ts";
import { playerKey } from "../wire/channel-key.ts";
import { appOf, callerOf } from "./caller-context.ts";
import type { ControlApp, ControlNode } from "./control-context.ts";

type PlayerCalls = Pick<
  ServiceImpl<typeof ControlService>,
  "disconnect" | "ban" | "unban" | "revokeTokens" | "erasePlayer"
>;

/** What a backend does to its players. */
export function playerCalls(node: ControlNode): PlayerCalls {
  return {
    disconnect({ target, reason }, context) {
      const app = appOf(node, context);
      const ending = endingOf(CloseCode.KICKED, reason);
      if (target.case !== "sessionId") return { sessions: endAll(node, app, target.value ?? "", ending) };
      app.sessions?.kickMoving({ sessionId: target.value }, ending);
      const session = app.hub.sessions.get(target.value);
      return { sessions: end(node, app, session === undefined ? [] : [session], ending) };
    },

    ban({ playerId, durationS, reason }, context) {
      const app = appOf(node, context);
      // First, because what cannot be remembered is refused: whoever is here goes in any case.
      const sessions = endAll(node, app, playerId, endingOf(CloseCode.BANNED, reason));
      node.bans.ban(callerOf(context).appId, playerId, durationS, reason);
      return { sessions };
    },

    unban({ playerId }, context) {
      return { changed: node.bans.unban(callerOf(context).appId, playerId) };
    },

    revokeTokens({ playerId, issuedBeforeMs }, context) {
      const { hub } = appOf(node, context);
      const { appId } = callerOf(context);
      const before = issuedBeforeMs === 0n ? node.clock.nowMs() : Number(issuedBeforeMs);
      const isVoid = (issuedAtMs: number) =>
        issuedAtMs < before || node.revocations.isRevoked(appId, playerId, issuedAtMs);
      const revoked = [...hub.sessionsOf(playerId)].filter(
        ({ link, credentials }) => link !== undefined && isVoid(credentials.issuedAtMs),
      );
      for (const { link } of revoked) link?.close(CloseCode.TOKEN_REVOKED, "the token was withdrawn");
      node.revocations.revoke(appId, playerId, before); // behind what it is about, as a ban
      return { connections: revoked.length };
    },

    async erasePlayer({ playerId }, context) {
      const app = appOf(node, context);
      const { appId } = callerOf(context);
      const sessions = endAll(node, app, playerId, endingOf(CloseCode.KICKED, ""));
      const memberships = app.hub.memberships.groupsOf(playerId).filter((group) => app.hub.leave(playerId, group));
      node.bans.unban(appId, playerId);
      await app.hub.cursors.erasePlayer(appId, playerId);
      await app.hub.messageLog.erase({ appId, key: playerKey(playerId) });
      return { sessions, memberships: memberships.length };
    },
  };
}

const messages = {
  [CloseCode.KICKED]: "disconnected by the game",
  [CloseCode.BANNED]: "banned by the game",
} as const;

function endingOf(code: CloseCode.KICKED | CloseCode.BANNED, reason: string): Ending {
  return { reason: "kicked", code, message: reason || messages[code], tombstone: code };
}

/** Ends all that a player has here, or is about to have; returns how many there were. */
function endAll(node: ControlNode, app: ControlApp, playerId: string, ending: Ending): number {
  app.sessions?.kickMoving({ playerId }, ending);
  return end(node, app, app.hub.sessionsOf(playerId), ending);
}

/** Ends sessions for good; returns how many. */
function end({ log }: ControlNode, { hub }: ControlApp, sessions: Iterable<Session>, ending: Ending): number {
  const all = [...sessions];
  const { code, message: reason } = ending;
  for (const session of all) {
    hub.end(session, ending);
    log.info("the backend has ended a session", { app: hub.appId, session: session.id, code: CloseCode[code], reason });
  }
  return all.length;
}
