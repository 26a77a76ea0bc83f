import { type ClientFrame, ClientFrameSchema, CloseCode, ErrorCode, type Hello } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";
import { findSession, resume } from "./resume.ts";
import { Session } from "./session.ts";
import { type Claims, verifyToken } from "./verify-token.ts";
import { revision, welcome } from "./welcome.ts";

/** What this server serves. */
export const servedFeatures = [
  "resume",
  "hand_over",
  "presence",
  "report",
  "server_rpc",
  "client_rpc",
  "durable",
  "history",
  "cursor",
];
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
  connection.token = hello.token;
  try {
    const claims = verifyToken(hello.token, server.tokens, breaks);
    const app = server.apps.get(claims.app);
    if (app === undefined) throw new Refusal(ErrorCode.UNAUTHENTICATED, "the app is not served");
    checkStanding(app, claims);
    admit(connection, app, claims, hello);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    connection.refuse(error, closeCodes[error.code] ?? CloseCode.UNAUTHENTICATED);
  }
}

const closeCodes: Partial<Record<ErrorCode, CloseCode>> = {
  [ErrorCode.TOKEN_EXPIRED]: CloseCode.TOKEN_EXPIRED,
  [ErrorCode.TOKEN_REVOKED]: CloseCode.TOKEN_REVOKED,
  [ErrorCode.BANNED]: CloseCode.BANNED,
};

/** @throws Refusal BANNED or TOKEN_REVOKED */
function checkStanding(app: App, claims: Claims): void {
  if (app.isBanned(claims.player)) throw new Refusal(ErrorCode.BANNED, "the player is banned");
  if (app.isRevoked(claims)) throw new Refusal(ErrorCode.TOKEN_REVOKED, "the token was revoked");
}

function admit(connection: Connection, app: App, claims: Claims, hello: Hello): void {
  const features = featuresOf(connection, hello);
  const known =
    features.has("resume") && hello.resume !== undefined
      ? findSession(connection, app, claims, hello.resume)
      : undefined;
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
  session.node = connection.address;
  welcome(connection, session, hello, { resumed: false, hasGap: () => app.breaks.has("gap-everywhere") });
}

function featuresOf({ breaks }: Connection, { features }: Hello): ReadonlySet<string> {
  if (breaks.has("features-echoed")) return new Set(features);
  if (breaks.has("unknown-feature-in-force") && features.includes("x_never")) return new Set(["x_never"]);
  const served = servedFeatures.filter((name) => features.includes(name));
  const kept = served.filter(
    (name) => name !== "hand_over" || served.includes("resume") || breaks.has("hand-over-without-resume"),
  );
  return new Set(breaks.has("feature-left-out") ? kept.slice(1) : kept);
}
