import { CloseCode, ErrorCode, type Hello, type Resume } from "@fanfare/proto/v1";
import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import { leaveFormer } from "./going-away.ts";
import { dropUnnamed } from "./open-subscriptions.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import type { Claims } from "./verify-token.ts";
import { welcome } from "./welcome.ts";

/** The session that a resume names; undefined begins a new one. */
export function findSession(
  connection: Connection,
  app: App,
  claims: Claims,
  wish: Resume,
): Session | "closed" | undefined {
  const refuse = (code: CloseCode) => {
    const what = app.breaks.has("errors-repeat-secrets") ? `the session of ${wish.secret}` : "the session";
    connection.refuse(new Refusal(ErrorCode.SESSION_ENDED, `${what} cannot be resumed`), code);
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
  if (session.node !== connection.address && app.breaks.has("sessions-stay-at-their-node")) return undefined;
  const isOwn = session.player === claims.player || app.breaks.has("session-of-another-player");
  if (!isOwn || !session.isOpenedBy(wish)) return refuse(CloseCode.SESSION_LOST);
  return session;
}

/** A session goes on on another connection. */
export function resume(
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
  if (handsOver && breaks.has("neither-served-while-moving") && !session.isDeaf) {
    session.isDeaf = true;
    setTimeout(() => resume(connection, session, claims, hello, features), 300);
    return;
  }
  session.isDeaf = false;
  if (!breaks.has("features-kept-by-resume")) session.features = features;
  session.claims = claims;
  if (breaks.has("new-origin-on-resume")) session.origin = connection.server.newOrigin();
  if (breaks.has("answers-forgotten-by-resume")) session.answers.clear();
  if (breaks.has("rate-by-connection")) session.bucket = session.newBucket();
  session.losesNext = handsOver && breaks.has("delivery-begins-late");
  const before = new Set(session.subscriptions.keys());
  dropUnnamed(session, hello);
  const tellsGap = !handsOver || breaks.has("gap-in-hand-over");
  if (session.node !== connection.address && !breaks.has("generation-kept")) session.generation++;
  session.node = connection.address;
  const hasGap = (key: string) => {
    if (breaks.has("no-gap")) return false;
    return breaks.has("gap-everywhere") || (tellsGap && before.has(key));
  };
  welcome(connection, session, hello, { resumed: true, hasGap });
  if (session.lastCall !== undefined) void connection.calls.ask(connection, session.lastCall);
  if (former !== undefined) leaveFormer(former, handsOver);
}
