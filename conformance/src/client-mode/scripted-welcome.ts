import { randomBytes } from "node:crypto";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { type Channel, type Hello, type Welcome, WelcomeSchema } from "@fanfare/proto/v1";

/** Features that the scripted server can play. */
const served = ["resume", "hand_over", "presence", "report", "server_rpc"];

/** What a welcome is made from. */
export interface WelcomeOptions {
  readonly hello: Hello;
  readonly player: string;
  /** The session that the hello may resume. */
  readonly former: Welcome | undefined;
  /** Put over the rest; of `limits` member by member. */
  readonly over: JsonObject;
}

/**
 * The welcome of a server that agrees to everything: the former session if the hello names it, every subscription opened, and a gap of
 * those that were there before a resume that is no hand-over.
 */
export function scriptedWelcome({ hello, player, former, over }: WelcomeOptions): Welcome {
  const resumed = hello.resume !== undefined && hello.resume.sessionId === former?.sessionId && over.resumed !== false;
  const features = served.filter((name) => hello.features.includes(name));
  const hasGap = resumed && hello.resume?.handOver !== true;
  const before = new Set(former?.subscriptions.map(({ channel }) => nameOf(channel)));
  const named = hello.subscriptions.map(({ channel }) => ({ channel, byServer: false }));
  const own = [channelJson("player", player), { broadcast: true }];
  const subscriptions = [...named.map(({ channel }) => jsonOf(channel)), ...own].map((channel, i) => ({
    channel,
    subscribed: {
      deliveryClass: 1,
      byServer: i >= named.length,
      ...(hasGap && before.has(JSON.stringify(channel)) ? { gap: { reason: 1 } } : {}),
    },
  }));
  const welcome: JsonObject = {
    sessionId: resumed ? former.sessionId : randomBytes(6).toString("hex"),
    origin: resumed ? String(former.origin) : String(randomBytes(8).readBigUInt64LE() | 1n),
    resumeSecret: features.includes("resume") ? randomBytes(12).toString("base64url") : "",
    attempt: hello.attempt,
    playerId: player,
    appId: "alpha",
    nodeId: "scripted",
    serverTimeUs: String(Date.now() * 1000),
    heartbeatIntervalMs: 20_000,
    heartbeatTimeoutMs: 1_000,
    features,
    tokenExpiresAtMs: String(Date.now() + 3_600_000),
    subscriptions: subscriptions as unknown as JsonObject[],
    resumed,
    resumeWindowMs: features.includes("resume") ? 30_000 : 0,
    revision: 1,
    reconnectWindowMs: 500,
    ...over,
    limits: {
      maxFrameBytes: 65_536,
      maxPayloadBytes: 16_384,
      maxSubscriptions: 64,
      publishesPerSecond: 1_000,
      publishBurst: 1_000,
      maxPendingRequests: 64,
      framesPerSecond: 1_000,
      bytesPerSecond: 1_048_576,
      ...(over.limits as JsonObject | undefined),
    },
  };
  return fromJson(WelcomeSchema, welcome);
}

function channelJson(kind: string, name: string): JsonObject {
  return { [kind]: name };
}

function jsonOf(channel: Channel | undefined): JsonObject {
  const kind = channel?.kind;
  return kind?.case === undefined ? {} : { [kind.case]: kind.value };
}

function nameOf(channel: Channel | undefined): string {
  return JSON.stringify(jsonOf(channel));
}
