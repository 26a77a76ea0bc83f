import type { BanRequest, DisconnectRequest, RevokeTokensRequest, UnbanRequest } from "@fanfare/proto/control/v1";
import { CloseCode, ErrorCode } from "@fanfare/proto/v1";
import type { App } from "../app.ts";
import { Refusal } from "../refusal.ts";
import type { Session } from "../session.ts";

/** Ends sessions. */
export function disconnect(app: App, { target, reason }: DisconnectRequest): { sessions: number } {
  const named = target.case === "sessionId" ? app.sessions.get(target.value) : undefined;
  const ofPlayer = target.case === "playerId" ? app.sessionsOf(target.value) : [];
  return { sessions: endAll(app, named === undefined ? ofPlayer : [named], CloseCode.KICKED, reason) };
}

/** Ends a player's sessions, and keeps the player out. */
export function ban(app: App, { playerId, durationS, reason }: BanRequest): { sessions: number } {
  const untilMs = durationS === 0 ? Number.POSITIVE_INFINITY : Date.now() + durationS * 1_000;
  if (!app.breaks.has("bans-not-kept")) app.bans.set(playerId, untilMs);
  return { sessions: endAll(app, app.sessionsOf(playerId), CloseCode.BANNED, reason) };
}

/** Lets a player in again. */
export function unban(app: App, { playerId }: UnbanRequest): { changed: boolean } {
  return { changed: app.bans.delete(playerId) };
}

/** Makes a player's tokens worthless that were issued before a time. */
export function revokeTokens(app: App, request: RevokeTokensRequest): { connections: number } {
  app.revocations.set(request.playerId, Number(request.issuedBeforeMs) || Date.now());
  if (app.breaks.has("revoked-tokens-live-on")) return { connections: 0 };
  const living = app.sessionsOf(request.playerId).filter(({ claims }) => app.isRevoked(claims));
  for (const { connection } of living) {
    connection?.refuse(new Refusal(ErrorCode.TOKEN_REVOKED, "the token was revoked"), CloseCode.TOKEN_REVOKED);
  }
  return { connections: living.length };
}

function endAll(app: App, sessions: readonly Session[], code: CloseCode, reason: string): number {
  for (const session of sessions) {
    const { connection } = session;
    app.end(session, "kicked", code);
    connection?.close(code, reason);
  }
  return sessions.length;
}
