import { randomBytes } from "node:crypto";
import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  type Channel,
  ChannelSchema,
  type Hello,
  PositionSchema,
  type Subscribe,
  type Subscribed,
  SubscribedSchema,
  type Welcome,
  WelcomeSchema,
} from "@fanfare/proto/v1";

/** Features that the scripted server can play. */
const served: ReadonlySet<string> = new Set([
  ...["resume", "hand_over", "presence", "report", "server_rpc", "client_rpc", "durable", "history", "cursor"],
]);

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
 * The welcome of a server that agrees to everything: the former session if the hello names it, every subscription opened, durable ones where
 * the client goes on after a position, and a gap of the live ones that were there before a resume that is no hand-over.
 */
export function scriptedWelcome({ hello, player, former, over }: WelcomeOptions): Welcome {
  const resumed = hello.resume !== undefined && hello.resume.sessionId === former?.sessionId && over.resumed !== false;
  const offered = over.features === undefined ? served : new Set(over.features as string[]);
  const features = hello.features.filter((name) => offered.has(name));
  const hasGap = resumed && hello.resume?.handOver !== true;
  const before = new Set(former?.subscriptions.map(({ channel }) => nameOf(channel)));
  const opened = [
    ...hello.subscriptions.map((one) => ({ channel: channelJson(one.channel), subscribed: answered(one) })),
    { channel: { player }, subscribed: { deliveryClass: 1, byServer: true } },
    { channel: { broadcast: true }, subscribed: { deliveryClass: 1, byServer: true } },
  ];
  const subscriptions = opened.map(({ channel, subscribed }) => {
    const gap = hasGap && subscribed.deliveryClass === 1 && before.has(JSON.stringify(channel));
    return { channel, subscribed: { ...subscribed, ...(gap ? { gap: { reason: 1 } } : {}) } };
  });
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
    tokenExpiresAtMs: String(Date.now() + 3_600_000),
    subscriptions,
    resumed,
    resumeWindowMs: features.includes("resume") ? 30_000 : 0,
    revision: 1,
    reconnectWindowMs: 500,
    ...over,
    features,
    limits: {
      maxFrameBytes: 65_536,
      maxPayloadBytes: 16_384,
      maxSubscriptions: 64,
      publishesPerSecond: 1_000,
      publishBurst: 1_000,
      maxPendingRequests: 64,
      framesPerSecond: 1_000,
      bytesPerSecond: 1_048_576,
      maxPresenceDataBytes: 4_096,
      ...(over.limits as JsonObject | undefined),
    },
  };
  return fromJson(WelcomeSchema, welcome);
}

/** The answer to a `subscribe` of a server that agrees to it; `over` put over it. */
export function scriptedSubscribed(subscribe: Subscribe, over: JsonObject): Subscribed {
  return fromJson(SubscribedSchema, { ...answered(subscribe), ...over });
}

function answered({ start, presence }: Subscribe): JsonObject {
  if (start.case !== "after") return { deliveryClass: 1, presence };
  const position = toJson(PositionSchema, start.value);
  return { deliveryClass: 2, presence, position, head: position, recovered: true };
}

function channelJson(channel: Channel | undefined): JsonObject {
  return channel === undefined ? {} : (toJson(ChannelSchema, channel) as JsonObject);
}

function nameOf(channel: Channel | undefined): string {
  return JSON.stringify(channelJson(channel));
}
