import type { Hello } from "@fanfare/proto/v1";
import type { Connection } from "./connection.ts";
import { openSubscriptions, serveSubscriptions, type Welcoming } from "./open-subscriptions.ts";
import type { Session } from "./session.ts";

/** The revision of the protocol that this server speaks. */
export const revision = 1;

/** Answers a hello that was accepted. */
export function welcome(connection: Connection, session: Session, hello: Hello, welcoming: Welcoming): void {
  const { breaks, server } = connection;
  const { timing, limits } = server.settings;
  session.attempt = hello.attempt;
  const intervalMs = negotiated(hello.heartbeatIntervalMs, connection);
  const resumes = session.features.has("resume") || breaks.has("secret-without-resume");
  const { results, owed } = openSubscriptions(session, hello, welcoming);
  const listed = breaks.has("broadcast-not-listed")
    ? results.filter(({ channel }) => channel?.kind?.case !== "broadcast")
    : results;
  const first = breaks.has("messages-before-subscribed") ? results[0]?.channel : undefined;
  connection.send({
    case: "welcome",
    value: {
      sessionId: session.id,
      origin: session.origin,
      resumeSecret: resumes && !breaks.has("no-secret") ? session.newSecret() : "",
      attempt: breaks.has("welcome-forgets-attempt") ? 1 : hello.attempt,
      playerId: session.player,
      appId: session.app.id,
      nodeId: breaks.has("addresses-of-one-node") ? "reference" : `reference-${connection.address}`,
      serverTimeUs: BigInt(Date.now()) * 1000n,
      heartbeatIntervalMs: intervalMs,
      heartbeatTimeoutMs: timing.heartbeatTimeoutMs,
      limits: {
        maxFrameBytes: limits.maxFrameBytes,
        maxPayloadBytes: limits.maxPayloadBytes,
        maxSubscriptions: limits.maxSubscriptions,
        publishesPerSecond: limits.publishesPerSecond,
        publishBurst: limits.publishBurst,
        framesPerSecond: limits.framesPerSecond,
        maxPendingRequests: limits.maxPendingRequests,
        bytesPerSecond: limits.bytesPerSecond,
        maxPresenceDataBytes: limits.maxPresenceDataBytes,
      },
      features: [...session.features],
      tokenExpiresAtMs: BigInt(Math.round(session.claims.expiresAtMs)),
      subscriptions: listed.filter(({ channel }) => channel !== first),
      resumed: welcoming.resumed,
      resumeWindowMs: resumes ? timing.resumeWindowMs : 0,
      revision,
      reconnectWindowMs: breaks.has("welcome-lacks-window") ? 0 : timing.reconnectWindowMs,
    },
  });
  session.connection = connection;
  connection.opened(session, intervalMs);
  serveSubscriptions(session, owed);
}

function negotiated(wishMs: number, { breaks, server }: Connection): number {
  const { heartbeatIntervalMs, heartbeatIntervalMinMs, heartbeatIntervalMaxMs } = server.settings.timing;
  if (wishMs === 0) return heartbeatIntervalMs;
  if (breaks.has("heartbeat-wish-obeyed")) return wishMs;
  return Math.min(Math.max(wishMs, heartbeatIntervalMinMs), heartbeatIntervalMaxMs);
}
