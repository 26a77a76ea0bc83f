import type { ReleasedSession } from "@fanfare/proto/cluster/v1alpha";
import { CloseCode, ErrorCode, type Hello, LeaveReason, type Resume, type Subscribe } from "@fanfare/proto/v1";
import type { SessionIdentity } from "../auth/resume-secret.ts";
import type { ResolvedConfig } from "../config/resolved-config.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { ClusterSessions, SessionArrival } from "../hub/cluster-sessions.ts";
import type { Credentials, Session } from "../hub/session.ts";
import { type Arrival, type Ending, endedByClient, type SessionName } from "../hub/session-life.ts";
import { type ChannelKey, channelKey } from "../wire/channel-key.ts";
import type { Connection } from "./connection.ts";
import { planStarts, type StartPlans, startDurable } from "./durable-start.ts";
import { type GatewayApp, serverFeatures } from "./gateway-context.ts";
import { isOriginAllowed } from "./page-origin.ts";
import { detachedGap, openSubscriptions, revision, welcome } from "./welcome.ts";

/** Answers a valid `hello`: with `welcome`, or by closing the connection. */
export async function shakeHands(connection: Connection, hello: Hello): Promise<void> {
  const { admission, authenticate, apps, log } = connection.context;
  const minRevision = hello.minRevision || 1;
  if (minRevision > revision || (hello.maxRevision || minRevision) < revision) {
    return refuse(
      connection,
      ErrorCode.UNIMPLEMENTED,
      CloseCode.UNSUPPORTED_REVISION,
      `this server speaks revision ${revision}`,
    );
  }
  const busy = admission.handshake(hello.resume !== undefined);
  if (busy !== undefined) return refuse(connection, ErrorCode.RATE_LIMITED, CloseCode.OVERLOADED, busy);
  let credentials: Credentials;
  try {
    credentials = await authenticate(hello.token);
  } catch (reason) {
    return connection.refuse(FanfareError.from(reason));
  }
  if (!connection.isAlive) return;
  const app = apps.get(credentials.appId);
  if (app === undefined) {
    // It was deleted while the token was verified.
    return refuse(connection, ErrorCode.UNAUTHENTICATED, CloseCode.UNAUTHENTICATED, "the token's app is gone");
  }
  const { pageOrigin } = connection;
  if (!isOriginAllowed(pageOrigin, app.allowedOrigins, connection.context.config.dev)) {
    log.info("refused the origin of a page; add it to allowed_origins of the app", {
      app: credentials.appId,
      origin: pageOrigin,
    });
    return connection.close(CloseCode.ORIGIN_REFUSED, "this page's origin is not among the app's allowed_origins");
  }
  connection.clientInfo = describeClient(hello);
  try {
    await admit(connection, hello, app, credentials);
  } catch (reason) {
    const now = apps.get(credentials.appId);
    if (now === app) throw reason;
    if (now !== undefined)
      return refuse(connection, ErrorCode.UNAVAILABLE, CloseCode.UNAVAILABLE, "the app is another one");
    refuse(connection, ErrorCode.UNAUTHENTICATED, CloseCode.UNAUTHENTICATED, "the token's app is gone");
  }
}

function refuse(connection: Connection, error: ErrorCode, close: CloseCode, message: string): void {
  connection.refuse(new FanfareError(error, message), close);
}

async function admit(connection: Connection, hello: Hello, app: GatewayApp, credentials: Credentials): Promise<void> {
  const { config, checkStanding } = connection.context;
  const features = negotiateFeatures(hello, config);
  const wished = features.has("resume") ? hello.resume : undefined;
  if (app.sessions !== undefined)
    return admitInCluster(connection, hello, app, app.sessions, { credentials, features });
  const known = wished && app.hub.sessions.get(wished.sessionId);
  const plans = await planStarts(app.hub, { credentials, features, hello, resumed: known?.subscriptions.keys() });
  if (!connection.isAlive) return;
  try {
    checkStanding(credentials); // it may have changed while the token was verified and the logs were read
  } catch (reason) {
    return connection.refuse(FanfareError.from(reason));
  }
  const resumed = wished && findSession(connection, app, credentials, wished);
  if (resumed === "refused") return;
  const arrival: Arrival = { credentials, features, attempt: hello.attempt, link: connection };
  if (resumed === undefined) open(connection, hello, app, arrival, plans);
  else resume(connection, hello, app, resumed, arrival, plans);
}

/** As `admit`, where sessions may come from, and go to, other nodes. */
async function admitInCluster(
  connection: Connection,
  hello: Hello,
  app: GatewayApp,
  sessions: ClusterSessions,
  { credentials, features }: Pick<Arrival, "credentials" | "features">,
): Promise<void> {
  const { checkStanding } = connection.context;
  const wished = features.has("resume") ? hello.resume : undefined;
  const identity = wished && verifyResume(connection, credentials, wished);
  if (wished !== undefined && identity === undefined) return;
  const { attempt } = hello;
  let arrived: Awaited<ReturnType<ClusterSessions["arrive"]>>;
  try {
    arrived = await sessions.arrive({
      credentials,
      attempt,
      resumes: identity && { id: identity.sessionId, origin: identity.origin },
      handOver: wished?.handOver === true && features.has("hand_over"),
      channels: hello.subscriptions.flatMap(({ channel }) => (channel === undefined ? [] : [channelKey(channel)])),
    });
  } catch (reason) {
    return connection.refuse(FanfareError.from(reason));
  }
  const { arrival: found, done, kick } = arrived;
  try {
    if (found.kind === "refused") return refuse(connection, ErrorCode.SESSION_ENDED, found.code, found.message);
    const plans = await planStarts(app.hub, { credentials, features, hello, resumed: knownChannels(found) });
    const elsewhere = found.kind === "new" ? await sessions.connectedElsewhere(credentials.playerId) : 0;
    const arrival: Arrival = { credentials, features, attempt, link: connection };
    if (found.kind === "moved") return takeOver(connection, hello, app, arrival, plans, found, kick());
    const ended = kick();
    if (ended !== undefined) {
      sessions.abandon(found);
      return refuseEnded(connection, ended);
    }
    const isHere = found.kind === "here" && app.hub.sessions.get(found.session.id) === found.session;
    try {
      checkStanding(credentials);
    } catch (reason) {
      sessions.abandon(found);
      return connection.refuse(FanfareError.from(reason));
    }
    if (!connection.isAlive) return sessions.abandon(found);
    if (found.kind === "new") open(connection, hello, app, arrival, plans, found.name, elsewhere);
    else if (isHere) resume(connection, hello, app, found.session, arrival, plans);
    else refuse(connection, ErrorCode.UNAVAILABLE, CloseCode.UNAVAILABLE, "the session ended while it was resumed");
  } finally {
    done();
  }
}

/** The channels of a session that goes on; undefined for a new one. */
function knownChannels(arrival: SessionArrival): Iterable<ChannelKey> | undefined {
  if (arrival.kind === "here") return arrival.session.subscriptions.keys();
  if (arrival.kind !== "moved") return undefined;
  return arrival.released?.subscriptions.map(({ channelKey: key }) => key) ?? [];
}

/** What the client has unsubscribed of the server's own stays closed (FF-SB-013). */
function closeUnsubscribed({ hub }: GatewayApp, session: Session, released: ReleasedSession | undefined): void {
  if (released === undefined) return;
  for (const key of released.unsubscribed) {
    const subscription = session.subscriptions.get(key);
    if (subscription !== undefined) hub.subscriptions.close(subscription, LeaveReason.LEFT);
    session.unsubscribed.add(key);
  }
}

/** Goes on with a session that was at another node. It is this node's, whether its client is still there or not. */
function takeOver(
  connection: Connection,
  hello: Hello,
  app: GatewayApp,
  arrival: Arrival,
  plans: StartPlans,
  { name, released, finish }: Extract<SessionArrival, { kind: "moved" }>,
  kick: Ending | undefined,
): void {
  const { counters, config, checkStanding } = connection.context;
  if (app.sessions?.isSuperseded(name, arrival.attempt) === true) {
    const message = "a newer attempt of this session has come to another node";
    finish(false);
    return refuse(connection, ErrorCode.SESSION_ENDED, CloseCode.STALE_ATTEMPT, message);
  }
  const session = app.hub.open(arrival, name, true);
  if (kick !== undefined) {
    app.hub.end(session, kick);
    finish(false);
    return refuseEnded(connection, kick);
  }
  app.sessions?.seed(session, released);
  closeUnsubscribed(app, session, released);
  const known = released && new Set(released.subscriptions.map((subscription) => subscription.channelKey));
  const isSeamless = released?.handedOver === true;
  const gap = (key: ChannelKey) => (isSeamless || known?.has(key) === false ? undefined : detachedGap);
  const results = openSubscriptions(app, session, hello.subscriptions, config.limits.maxPresenceDataBytes, plans, gap);
  app.sessions?.tellDropped(session, released);
  try {
    checkStanding(arrival.credentials);
  } catch (reason) {
    app.hub.openWindow(session);
    finish(false);
    return connection.refuse(FanfareError.from(reason));
  }
  if (!connection.isAlive) {
    if (connection.isOver) app.hub.end(session, endedByClient);
    else app.hub.openWindow(session);
    return finish(false);
  }
  if (isSeamless) counters.handshakesHandedOver++;
  else counters.handshakesResumed++;
  welcome(connection, hello, app, session, true, results);
  startDurable(app.hub, session, plans);
  if (isSeamless) app.sessions?.movedIn(session);
  finish(true);
}

function open(
  connection: Connection,
  hello: Hello,
  app: GatewayApp,
  arrival: Arrival,
  plans: StartPlans,
  name?: SessionName,
  connectedElsewhere = 0,
): void {
  const { config, admission } = connection.context;
  const { credentials } = arrival;
  const connected = [...app.hub.sessionsOf(credentials.playerId)].filter(
    (session) => session.link !== undefined,
  ).length;
  const full = admission.player(connected + connectedElsewhere);
  if (full !== undefined) {
    if (name !== undefined) app.sessions?.abandon({ kind: "new", name });
    return refuse(connection, ErrorCode.LIMIT_EXCEEDED, CloseCode.OVERLOADED, full);
  }
  let session: Session;
  try {
    session = app.hub.open(arrival, name);
  } catch (reason) {
    if (name !== undefined) app.sessions?.abandon({ kind: "new", name });
    return connection.refuse(FanfareError.from(reason));
  }
  connection.context.counters.handshakesNew++;
  const { maxPresenceDataBytes } = config.limits;
  const results = openSubscriptions(app, session, hello.subscriptions, maxPresenceDataBytes, plans, () => undefined);
  welcome(connection, hello, app, session, false, results);
  startDurable(app.hub, session, plans);
}

/** The backend has ended the player's sessions while this one arrived. */
function refuseEnded(connection: Connection, { code, message }: Ending): void {
  const error = code === CloseCode.BANNED ? ErrorCode.BANNED : ErrorCode.SESSION_ENDED;
  refuse(connection, error, code, message);
}

/** The session that a resume names; undefined to begin a new one. `refused`: the connection was closed. */
function findSession(
  connection: Connection,
  { hub }: GatewayApp,
  credentials: Credentials,
  resume: Resume,
): Session | "refused" | undefined {
  const identity = verifyResume(connection, credentials, resume);
  if (identity === undefined) return "refused";
  const { sessionId } = identity;
  const tombstone = hub.tombstones.get(sessionId);
  if (tombstone === undefined) return hub.sessions.get(sessionId);
  refuse(connection, ErrorCode.SESSION_ENDED, tombstone, "the session was ended and cannot be resumed");
  return "refused";
}

/** What a resume secret proves; undefined: it proves nothing, and the connection was closed. */
function verifyResume(
  connection: Connection,
  credentials: Credentials,
  { secret, sessionId }: Resume,
): SessionIdentity | undefined {
  const identity = connection.context.resumeSecrets.verify(secret);
  const isOwn =
    identity?.sessionId === sessionId &&
    identity.appId === credentials.appId &&
    identity.playerId === credentials.playerId;
  if (!isOwn) {
    const message = "the resume secret does not verify, or is of another player";
    refuse(connection, ErrorCode.SESSION_ENDED, CloseCode.SESSION_LOST, message);
    return undefined;
  }
  return identity;
}

function resume(
  connection: Connection,
  hello: Hello,
  app: GatewayApp,
  session: Session,
  arrival: Arrival,
  plans: StartPlans,
): void {
  const { counters } = connection.context;
  if (hello.attempt <= session.attempt) {
    const message = `the attempt has to be higher than ${session.attempt}`;
    return refuse(connection, ErrorCode.SESSION_ENDED, CloseCode.STALE_ATTEMPT, message);
  }
  const handsOver =
    hello.resume?.handOver === true && arrival.features.has("hand_over") && session.link?.goingAway === true;
  const before = new Set(session.subscriptions.keys());
  const former = app.hub.resume(session, arrival);
  if (handsOver) counters.handshakesHandedOver++;
  else counters.handshakesResumed++;
  const gap = (key: ChannelKey) => (before.has(key) && !handsOver ? detachedGap : undefined);
  dropUnnamed(app, session, hello.subscriptions);
  const { maxPresenceDataBytes } = connection.context.config.limits;
  for (const subscription of session.subscriptions.values()) app.hub.durable.stop(subscription);
  const results = openSubscriptions(app, session, hello.subscriptions, maxPresenceDataBytes, plans, gap);
  welcome(connection, hello, app, session, true, results);
  startDurable(app.hub, session, plans);
  if (handsOver) former?.handOver();
  else former?.close(CloseCode.REPLACED, "a newer attempt of this session has another connection");
}

/** Closes what the client had opened and no longer names; what the server opened loses what the client had asked for in it. */
function dropUnnamed({ hub }: GatewayApp, session: Session, named: readonly Subscribe[]): void {
  const keys = new Set(named.map(({ channel }) => channel && channelKey(channel)));
  for (const subscription of [...session.subscriptions.values()]) {
    if (keys.has(subscription.channel.key)) continue;
    if (subscription.byServer) hub.subscriptions.forgetClient(subscription);
    else hub.subscriptions.closeByClient(session, subscription.channel.channel);
  }
}

/** What both sides claim; `hand_over` is nothing without `resume` (FF-FE-005). */
function negotiateFeatures(hello: Hello, config: ResolvedConfig): ReadonlySet<string> {
  const claimed = new Set(hello.features);
  if (!claimed.has("resume")) claimed.delete("hand_over");
  return new Set(serverFeatures(config).filter((feature) => claimed.has(feature)));
}

function describeClient({ client }: Hello): string {
  if (client === undefined) return "";
  const { name, version, platform } = client;
  return `${name}/${version}${platform === "" ? "" : ` (${platform})`}`;
}
