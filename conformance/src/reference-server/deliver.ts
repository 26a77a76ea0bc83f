import { clone, create } from "@bufbuild/protobuf";
import {
  type Channel,
  Outcome,
  type Payload,
  PayloadSchema,
  type PublishResult,
  PublishResultSchema,
} from "@fanfare/proto/v1";
import type { App } from "./app.ts";
import { type ChannelState, keyOf } from "./channel.ts";
import type { Place } from "./durable/channel-log.ts";
import type { MessageBody } from "./message-body.ts";
import type { Session } from "./session.ts";

/** A message that was admitted, of a session or of the backend. */
export interface Publication {
  readonly channel: Channel;
  readonly origin: bigint;
  readonly seq: bigint;
  /** Empty for the backend. */
  readonly from: string;
  /** Undefined for the backend. */
  readonly session: Session | undefined;
  readonly payload?: Payload | undefined;
  readonly volatile: boolean;
  readonly conflationKey: string;
  readonly ttlMs: number;
  readonly excludeSelf: boolean;
  readonly wantReport: boolean;
}

/** Sends a message to whoever subscribes its channel, by way of the log where it is durable. */
export function deliver(app: App, publication: Publication): PublishResult {
  const { channel, session, excludeSelf } = publication;
  const { kind } = channel;
  if (kind.case === "player" && isOffline(app, channel, kind.value)) return answered(app, publication, Outcome.OFFLINE);
  const body = bodyOf(app, publication);
  const isStored = app.isDurable(channel);
  const excluded = excludeSelf ? session?.origin : undefined;
  const position = isStored ? app.durable(channel).log.append(body, excluded) : undefined;
  const counts = sendToAll(app, publication, body);
  if (isStored) return answered(app, publication, Outcome.STORED, counts, position);
  const isDetached = kind.case === "player" && counts.reached === 0 && app.breaks.has("detached-as-offline");
  return answered(app, publication, isDetached ? Outcome.OFFLINE : Outcome.DELIVERED, counts);
}

function isOffline(app: App, channel: Channel, player: string): boolean {
  const { subscribers } = app.channels.get(keyOf(channel));
  return app.sessionsOf(player).length === 0 || (subscribers.size === 0 && app.breaks.has("unsubscribed-as-offline"));
}

function sendToAll(app: App, publication: Publication, body: MessageBody) {
  const { breaks } = app;
  const state = app.channels.get(keyOf(publication.channel));
  const counts = { reached: 0, detached: 0, excluded: 0 };
  if (breaks.has("slow-reader-blocks-others") && isAnySlow(state)) return counts;
  if (breaks.has("delivered-before-it-is") && state.subscribers.size > 1) return counts;
  for (const [receiver, { reader, byClient }] of state.subscribers) {
    const { connection } = receiver;
    const isOut = isExcluded(publication, receiver);
    if (isOut) counts[breaks.has("report-counts-excluded") ? "reached" : "excluded"]++;
    else counts[connection === undefined ? "detached" : "reached"]++;
    if (isLost(receiver) || isElsewhere(publication, receiver)) continue;
    if (reader !== undefined) reader.wake();
    else if (!isOut && !(breaks.has("self-never-served") && receiver === publication.session)) {
      connection?.message(body);
      if (breaks.has("subscribed-twice") && byClient) connection?.message({ ...body, seq: body.seq + 1n });
    }
  }
  return counts;
}

function isAnySlow({ subscribers }: ChannelState): boolean {
  return [...subscribers.keys()].some(({ connection }) => connection !== undefined && !connection.hasRoom);
}

/** Whether a broken server loses what comes first after a subscribe or a move. */
function isLost(receiver: Session): boolean {
  const { losesNext } = receiver;
  receiver.losesNext = false;
  return losesNext || receiver.isDeaf;
}

/** Whether a broken server leaves out who is at another node than the publisher. */
function isElsewhere({ session }: Publication, receiver: Session): boolean {
  const isBroken = receiver.app.breaks.has("messages-stay-at-their-node");
  return isBroken && session !== undefined && session.node !== receiver.node;
}

function isExcluded({ session, excludeSelf }: Publication, receiver: Session): boolean {
  if (!excludeSelf || session === undefined) return false;
  const { breaks } = session.app;
  if (breaks.has("exclude-self-ignored")) return false;
  return breaks.has("exclude-self-excludes-the-player") ? receiver.player === session.player : receiver === session;
}

function bodyOf({ breaks }: App, publication: Publication): MessageBody {
  const { channel, origin, seq, from, ttlMs, conflationKey } = publication;
  const sentAtMs = BigInt(Date.now());
  const expiresAtMs = ttlMs === 0 || breaks.has("no-expiry") ? 0n : sentAtMs + BigInt(ttlMs);
  const payload = publication.payload && clone(PayloadSchema, publication.payload);
  if (payload?.data.case === "text" && breaks.has("payload-trimmed")) payload.data.value = payload.data.value.trimEnd();
  if (payload?.data.case === "json" && breaks.has("payload-trimmed"))
    payload.data.value = payload.data.value.replaceAll(" ", "");
  return {
    channel,
    origin: breaks.has("origin-changed") ? 1n : origin,
    seq,
    from: breaks.has("from-empty") ? "" : from || (breaks.has("backend-has-a-name") ? "backend" : ""),
    sentAtMs: breaks.has("no-sent-at") ? 0n : sentAtMs,
    expiresAtMs,
    volatile: publication.volatile && !breaks.has("volatile-lost"),
    conflationKey,
    ...(payload === undefined ? {} : { payload }),
  };
}

function answered(
  { breaks }: App,
  { wantReport }: Publication,
  outcome: Outcome,
  report = { reached: 0, detached: 0, excluded: 0 },
  position?: Place,
): PublishResult {
  const told = wantReport && !breaks.has("report-not-given");
  const said = outcome === Outcome.OFFLINE && breaks.has("offline-as-delivered") ? Outcome.DELIVERED : outcome;
  return create(PublishResultSchema, {
    outcome: said,
    ...(told ? { report } : {}),
    ...(position === undefined ? {} : { position }),
  });
}
