import type { MessageInitShape } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  type Channel,
  ErrorCode,
  LeaveReason,
  type PresenceEventSchema,
  type PresenceMemberSchema,
  type PresenceQuery,
  type PresenceUpdate,
  type ReplySchema,
} from "@fanfare/proto/v1";
import { checkAsk } from "./access.ts";
import type { App, LeaveCause } from "./app.ts";
import { type ChannelState, keyOf, namespaceOf, required, type Subscription } from "./channel.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import { checkPresenceData } from "./subscribe.ts";

type Event = MessageInitShape<typeof PresenceEventSchema>["event"];
type Member = MessageInitShape<typeof PresenceMemberSchema>;
type Result = MessageInitShape<typeof ReplySchema>["result"];

/** This server is one node, so that there is one section. */
const section = 1n;

const reasons: Record<LeaveCause, LeaveReason> = {
  left: LeaveReason.LEFT,
  timeout: LeaveReason.TIMEOUT,
  kicked: LeaveReason.KICKED,
};

/** What a channel tells. */
export function presenceMode(app: App, { kind }: Channel): PresenceMode {
  if (kind.case !== "group") return PresenceMode.OFF;
  return app.namespaces.get(namespaceOf(kind.value))?.presence || PresenceMode.OFF;
}

/** A session is in a channel now, or shows something else there. */
export function showPresence(app: App, session: Session, channel: Channel, change: "joined" | "updated"): void {
  const state = app.channels.get(keyOf(channel));
  const subscription = state.subscribers.get(session);
  if (subscription === undefined) return;
  state.presenceNumber += app.breaks.has("diff-numbers-skip") ? 2n : 1n;
  const value = { section, number: state.presenceNumber, [change]: [memberOf(session, subscription)] };
  tell(app, state, channel, { case: "diff", value }, change === "joined" ? session : undefined);
}

/** A session is no longer in a channel. */
export function leavePresence(app: App, session: Session, channel: Channel, cause: LeaveCause): void {
  const state = app.channels.get(keyOf(channel));
  state.presenceNumber++;
  const reason = app.breaks.has("leave-reason-always-left") ? LeaveReason.LEFT : reasons[cause];
  const { origin, generation, player } = session;
  const left = [{ origin, generation, playerId: player, reason }];
  tell(app, state, channel, { case: "diff", value: { section, number: state.presenceNumber, left } }, session);
}

/** The first things a session is told of a channel's presence. */
export function snapshot(session: Session, channel: Channel): void {
  const { app, connection } = session;
  if (app.breaks.has("no-snapshot")) return;
  const state = app.channels.get(keyOf(channel));
  if (isCounted(app, state, channel))
    return connection?.send({ case: "presenceEvent", value: { channel, event: counts(state) } });
  const all = app.breaks.has("self-not-present") ? without(state, session) : state;
  const members = [...all.subscribers].map(([one, subscription]) => memberOf(one, subscription));
  const last = !app.breaks.has("snapshot-never-ends");
  const value = { section, number: state.presenceNumber, members, first: true, last };
  connection?.send({ case: "presenceEvent", value: { channel, event: { case: "snapshot", value } } });
}

/** Answers `presence`. @throws Refusal */
export function queryPresence(session: Session, query: PresenceQuery): Result {
  const channel = required(query.channel);
  const { app } = session;
  checkAsk(session, channel);
  const mode = presenceMode(app, channel);
  if (mode === PresenceMode.OFF && !app.breaks.has("presence-of-any-channel")) {
    throw new Refusal(ErrorCode.FAILED_PRECONDITION, "the channel tells no presence", "presence.channel");
  }
  const state = app.channels.get(keyOf(channel));
  const all = [...state.subscribers].map(([one, subscription]) => memberOf(one, subscription));
  const hidden = query.countsOnly || mode === PresenceMode.COUNTS;
  if (hidden && !app.breaks.has("members-with-counts")) return page(state, [], "");
  const from = Number(query.pageToken || 0);
  const to = from + (query.pageSize || 100);
  const next = to + (app.breaks.has("pages-lose-members") ? 1 : 0);
  return page(state, all.slice(from, to), next < all.length ? String(next) : "");
}

/** Answers `presence_update`. @throws Refusal */
export function updatePresence(session: Session, update: PresenceUpdate): Result {
  const channel = required(update.channel);
  checkPresenceData(session, update.data, "presence_update.data");
  const subscription = session.subscriptions.get(keyOf(channel));
  if (subscription === undefined && !session.app.breaks.has("update-without-subscription")) {
    throw new Refusal(ErrorCode.NOT_SUBSCRIBED, "the channel is not subscribed", "presence_update.channel");
  }
  if (presenceMode(session.app, channel) === PresenceMode.OFF && !session.app.breaks.has("update-where-none-is-told")) {
    throw new Refusal(ErrorCode.FAILED_PRECONDITION, "the channel tells no presence", "presence_update.channel");
  }
  if (subscription !== undefined) subscription.data = update.data;
  showPresence(session.app, session, channel, "updated");
  return { case: "presenceUpdated", value: {} };
}

function tell(app: App, state: ChannelState, channel: Channel, event: Event, except: Session | undefined): void {
  const mode = presenceMode(app, channel);
  if (mode === PresenceMode.OFF) return;
  const isCountedNow = isCounted(app, state, channel);
  const wasCounted = state.counted;
  state.counted = isCountedNow;
  const told = isCountedNow ? counts(state) : event;
  for (const [session, { presence }] of state.subscribers) {
    const isWanted = presence && session !== except;
    // What was not told while counts were is made up for by a snapshot.
    if (isWanted && wasCounted && !isCountedNow && !app.breaks.has("listed-again-without-snapshot")) {
      snapshot(session, channel);
    } else if (isWanted || app.breaks.has("presence-without-feature")) {
      session.connection?.send({ case: "presenceEvent", value: { channel, event: told } });
    }
  }
}

function isCounted(app: App, state: ChannelState, channel: Channel): boolean {
  if (app.breaks.has("lists-instead-of-counts")) return false;
  if (presenceMode(app, channel) === PresenceMode.COUNTS) return true;
  const name = channel.kind.case === "group" ? namespaceOf(channel.kind.value) : "";
  return state.subscribers.size > (app.namespaces.get(name)?.maxPresenceMembers || 1000);
}

function counts(state: ChannelState): Event {
  return { case: "counts", value: numbers(state) };
}

function numbers({ subscribers }: ChannelState): { sessions: number; players: number } {
  return { sessions: subscribers.size, players: new Set([...subscribers.keys()].map(({ player }) => player)).size };
}

function page(state: ChannelState, members: Member[], nextPageToken: string): Result {
  return { case: "presencePage", value: { ...numbers(state), members, nextPageToken } };
}

function memberOf({ origin, generation, player }: Session, { data }: Subscription): Member {
  return { origin, generation, playerId: player, ...(data === undefined ? {} : { data }) };
}

function without(state: ChannelState, session: Session): ChannelState {
  const subscribers = new Map([...state.subscribers].filter(([one]) => one !== session));
  return Object.assign(Object.create(state) as ChannelState, { subscribers });
}
