import { type ClientFrame, ClientFrameSchema, CloseCode, ErrorCode, type Hello, type Resume } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import { leaveFormer } from "./going-away.ts";
import { Refusal } from "./refusal.ts";
import { Session } from "./session.ts";
import { dropUnnamed, openSubscriptions, sendSnapshots } from "./subscribe.ts";
import { type Claims, verifyToken } from "./verify-token.ts";

/** What this server serves. */
export const servedFeatures = ["resume", "hand_over", "presence", "report"];
const revision = 1;
const validate = validatorFor(ClientFrameSchema);

/** Answers `hello`: with `welcome`, or by closing. */
export function shakeHands(connection: Connection, frame: ClientFrame): void {
  const { breaks, server } = connection;
  if (frame.kind.case !== "hello") return;
  const hello = frame.kind.value;
  const violation = validate(frame);
  if (violation !== undefined) {
    const field = breaks.has("hello-field-not-named") ? "" : violation.field;
    const error = new Refusal(ErrorCode.INVALID_ARGUMENT, violation.message, field);
    return connection.refuse(error, CloseCode.PROTOCOL_ERROR);
  }
  const least = hello.minRevision || 1;
  if ((least > revision || (hello.maxRevision || least) < revision) && !breaks.has("any-revision")) {
    return connection.refuse(
      new Refusal(ErrorCode.UNIMPLEMENTED, "no common revision"),
      CloseCode.UNSUPPORTED_REVISION,
    );
  }
  const unknown = hello.features.some((name) => !servedFeatures.includes(name) && name.startsWith("x_"));
  if (unknown && breaks.has("unknown-features-refused")) {
    return connection.refuse(
      new Refusal(ErrorCode.INVALID_ARGUMENT, "a feature is not known"),
      CloseCode.PROTOCOL_ERROR,
    );
  }
  try {
    const claims = verifyToken(hello.token, server.tokens, breaks);
    const app = server.apps.get(claims.app);
    if (app === undefined) throw new Refusal(ErrorCode.UNAUTHENTICATED, "the app is not served");
    admit(connection, app, claims, hello);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const isExpired = error.code === ErrorCode.TOKEN_EXPIRED;
    connection.refuse(error, isExpired ? CloseCode.TOKEN_EXPIRED : CloseCode.UNAUTHENTICATED);
  }
}

function admit(connection: Connection, app: App, claims: Claims, hello: Hello): void {
  const features = featuresOf(connection, hello);
  const known =
    features.has("resume") && hello.resume !== undefined ? find(connection, app, claims, hello.resume) : undefined;
  if (known === "closed") return;
  if (known !== undefined) return resume(connection, known, claims, hello, features);
  const connected = app.sessionsOf(claims.player).filter((session) => session.connection !== undefined);
  if (
    connected.length >= app.settings.limits.maxConnectionsPerPlayer &&
    !app.breaks.has("player-connections-unlimited")
  ) {
    return connection.refuse(new Refusal(ErrorCode.LIMIT_EXCEEDED, "too many connections"), CloseCode.OVERLOADED);
  }
  const origin = app.breaks.has("origin-of-the-player") ? 4711n : connection.server.newOrigin();
  const session = new Session(app, claims, origin);
  app.sessions.set(session.id, session);
  session.features = features;
  welcome(connection, session, hello, false, () => app.breaks.has("gap-everywhere"));
}

function featuresOf({ breaks }: Connection, { features }: Hello): ReadonlySet<string> {
  if (breaks.has("features-echoed")) return new Set(features);
  const served = servedFeatures.filter((name) => features.includes(name));
  const kept = served.filter(
    (name) => name !== "hand_over" || served.includes("resume") || breaks.has("hand-over-without-resume"),
  );
  return new Set(breaks.has("feature-left-out") ? kept.slice(1) : kept);
}

/** The session that a resume names; undefined begins a new one. */
function find(connection: Connection, app: App, claims: Claims, wish: Resume): Session | "closed" | undefined {
  const refuse = (code: CloseCode) => {
    connection.refuse(new Refusal(ErrorCode.SESSION_ENDED, "the session cannot be resumed"), code);
    return "closed" as const;
  };
  for (const other of connection.server.apps.values()) {
    const foreign = other.sessions.get(wish.sessionId);
    if (foreign !== undefined && other !== app) return refuse(CloseCode.SESSION_LOST);
  }
  const tombstone = app.tombstones.get(wish.sessionId);
  if (tombstone !== undefined) return refuse(tombstone);
  const session = app.sessions.get(wish.sessionId);
  if (session === undefined) return undefined;
  const isOwn = session.player === claims.player || app.breaks.has("session-of-another-player");
  if (!isOwn || !session.isOpenedBy(wish)) return refuse(CloseCode.SESSION_LOST);
  return session;
}

function resume(
  connection: Connection,
  session: Session,
  claims: Claims,
  hello: Hello,
  features: ReadonlySet<string>,
): void {
  const { breaks } = connection;
  const former = session.connection;
  if (hello.attempt <= session.attempt && !breaks.has("stale-attempt-accepted")) {
    if (breaks.has("stale-attempt-evicts")) former?.close(CloseCode.REPLACED);
    return connection.refuse(new Refusal(ErrorCode.SESSION_ENDED, "the attempt is stale"), CloseCode.STALE_ATTEMPT);
  }
  clearTimeout(session.window);
  const wasTold = former?.goingAway === true || (former !== undefined && breaks.has("hand-over-without-goaway"));
  const handsOver = hello.resume?.handOver === true && features.has("hand_over") && wasTold;
  if (!breaks.has("features-kept-by-resume")) session.features = features;
  session.claims = claims;
  if (breaks.has("new-origin-on-resume")) session.origin = connection.server.newOrigin();
  if (breaks.has("answers-forgotten-by-resume")) session.answers.clear();
  if (breaks.has("rate-by-connection")) session.bucket = session.newBucket();
  const before = new Set(session.subscriptions.keys());
  dropUnnamed(session, hello);
  const tellsGap = !handsOver || breaks.has("gap-in-hand-over");
  welcome(connection, session, hello, true, (key) => {
    if (breaks.has("no-gap")) return false;
    return breaks.has("gap-everywhere") || (tellsGap && before.has(key));
  });
  if (former !== undefined) leaveFormer(former, handsOver);
}

function welcome(
  connection: Connection,
  session: Session,
  hello: Hello,
  resumed: boolean,
  hasGap: (key: string) => boolean,
): void {
  const { breaks, server } = connection;
  const { timing, limits } = server.settings;
  session.attempt = hello.attempt;
  const intervalMs = negotiated(hello.heartbeatIntervalMs, connection);
  const resumes = session.features.has("resume") || breaks.has("secret-without-resume");
  const results = openSubscriptions(session, hello, hasGap);
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
      nodeId: "reference",
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
      },
      features: [...session.features],
      tokenExpiresAtMs: BigInt(Math.round(session.claims.expiresAtMs)),
      subscriptions: listed.filter(({ channel }) => channel !== first),
      resumed,
      resumeWindowMs: resumes ? timing.resumeWindowMs : 0,
      revision,
      reconnectWindowMs: breaks.has("welcome-lacks-window") ? 0 : timing.reconnectWindowMs,
    },
  });
  session.connection = connection;
  connection.opened(session, intervalMs);
  sendSnapshots(session);
}

function negotiated(wishMs: number, { breaks, server }: Connection): number {
  const { heartbeatIntervalMs, heartbeatIntervalMinMs, heartbeatIntervalMaxMs } = server.settings.timing;
  if (wishMs === 0) return heartbeatIntervalMs;
  if (breaks.has("heartbeat-wish-obeyed")) return wishMs;
  return Math.min(Math.max(wishMs, heartbeatIntervalMinMs), heartbeatIntervalMaxMs);
}
