import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Channel,
  ChannelSchema,
  DeliveryClass,
  GapReason,
  GapSchema,
  type Hello,
  SubscribedSchema,
  type SubscriptionResultSchema,
} from "@fanfare/proto/v1";
import { keyOf, namespaceOf, required } from "./channel.ts";
import { snapshot } from "./presence.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import { endSubscription, openOwn, subscribe, type Told } from "./subscribe.ts";

type SubscriptionResult = MessageInitShape<typeof SubscriptionResultSchema>;

/** What is behind a welcome. */
export interface Welcoming {
  readonly resumed: boolean;
  /** Whether a live channel, by its key, may have missed something. */
  readonly hasGap: (key: string) => boolean;
}

/** What became of the subscriptions of a session that is welcomed. */
export interface Opened {
  /** In the order that welcome has. */
  readonly results: SubscriptionResult[];
  /** What the session is owed, and asked for in a way that was refused: opened behind welcome. */
  readonly owed: readonly Channel[];
}

/** Opens what a hello asks for and what the server opens by itself. */
export function openSubscriptions(session: Session, hello: Hello, { resumed, hasGap }: Welcoming): Opened {
  const { breaks } = session.app;
  const named: SubscriptionResult[] = [];
  const told = new Set<string>();
  const refused = new Set<string>();
  for (const [i, request] of hello.subscriptions.entries()) {
    const channel = required(request.channel);
    try {
      const value = subscribe(session, request, `hello.subscriptions[${i}]`, resumed);
      told.add(keyOf(channel));
      named.push(result(channel, value, hasGap));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!breaks.has("refused-subscriptions-listed-again")) refused.add(keyOf(channel));
      if (breaks.has("refused-subscriptions-left-out")) continue;
      named.push({ channel, result: { case: "error", value: error.value } });
    }
  }
  const own = ownChannels(session).filter((channel) => !told.has(keyOf(channel)));
  const owed = own.filter((channel) => refused.has(keyOf(channel)));
  const unnamed = own.filter((channel) => !owed.includes(channel));
  const opened = unnamed.map((channel) => result(channel, openOwn(session, channel, resumed), hasGap));
  return { results: breaks.has("server-subscriptions-first") ? [...opened, ...named] : [...named, ...opened], owed };
}

/** Opens what the session is still owed, and sends what was announced: snapshots of presence, and replays. */
export function serveSubscriptions(session: Session, owed: readonly Channel[]): void {
  for (const channel of owed) {
    const value = openOwn(session, channel, false);
    session.connection?.send({ case: "subscription", value: { channel, event: { case: "opened", value } } });
  }
  for (const { channel, presence, reader } of session.subscriptions.values()) {
    if (presence) snapshot(session, channel);
    reader?.wake();
  }
}

/** On a resume, what the client had opened and does not name is closed. */
export function dropUnnamed(session: Session, hello: Hello): void {
  if (session.app.breaks.has("unnamed-subscriptions-kept")) return;
  const named = new Set(hello.subscriptions.map(({ channel }) => keyOf(required(channel))));
  for (const [key, { channel }] of [...session.subscriptions]) {
    if (!named.has(key) && !session.isServers(channel)) endSubscription(session, channel, "left");
  }
}

/** The channels that a session is owed, but those it has unsubscribed. */
export function ownChannels(session: Session): Channel[] {
  const { app, claims, player } = session;
  const { breaks } = app;
  const tokens = breaks.has("token-groups-not-opened") ? [] : claims.groups;
  const groups = new Set([...tokens, ...app.members.groupsOf(player)]);
  const configured = [...groups].filter((group) => app.namespaces.has(namespaceOf(group)));
  const kinds: Channel["kind"][] = [
    { case: "player", value: player },
    { case: "broadcast", value: true },
    ...configured.map((value) => ({ case: "group" as const, value })),
  ];
  return kinds
    .map((kind) => create(ChannelSchema, { kind }))
    .filter((channel) => breaks.has("unsubscribed-reopened") || !session.declined.has(keyOf(channel)));
}

function result(channel: Channel, told: Told, hasGap: (key: string) => boolean): SubscriptionResult {
  const value = create(SubscribedSchema, told);
  if (value.deliveryClass === DeliveryClass.LIVE && hasGap(keyOf(channel))) {
    value.gap = create(GapSchema, { reason: GapReason.DETACHED });
  }
  return { channel, result: { case: "subscribed", value } };
}
