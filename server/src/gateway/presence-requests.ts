import { PresenceMode } from "@fanfare/proto/config/v1";
import { ErrorCode, type PresenceQuery, type PresenceUpdate } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { mayQueryPresence } from "../namespace/access.ts";
import { channelKey, groupOf } from "../wire/channel-key.ts";
import { answerLater, checkPayload, type Requester, reply, required } from "./requester.ts";

/** Says who is in a channel. @throws FanfareError */
export function queryPresence(requester: Requester, id: number, query: PresenceQuery): void {
  const { connection, session, app } = requester;
  const channel = required(query.channel);
  const policy = app.hub.namespaces.policyFor(channel);
  if (policy === undefined) throw unknownNamespace(channel);
  if (policy.presence === PresenceMode.OFF) throw noPresence();
  const group = groupOf(channelKey(channel));
  const isOwn = channel.kind.case === "player" && channel.kind.value === session.playerId;
  const isMember = group === undefined ? isOwn : app.hub.isMember(session, group);
  if (!mayQueryPresence(policy, channel, { capabilities: session.credentials.capabilities, isMember })) {
    throw new FanfareError(ErrorCode.PERMISSION_DENIED, "this player may not see who is in the channel");
  }
  if (id === 0) return; // nobody would get the page, and nothing bounds how many are asked for
  const { presence } = app;
  if (presence === undefined) {
    const page = app.hub.channels.get(channelKey(channel))?.presence?.page(query);
    return reply(connection, id, { case: "presencePage", value: page ?? {} });
  }
  void answerLater(requester, id, async () => {
    reply(connection, id, { case: "presencePage", value: await presence.page(channel, query) });
  });
}

/** Changes what is shown beside the player. @throws FanfareError */
export function updatePresence(
  { connection, session, app }: Requester,
  id: number,
  { channel, data }: PresenceUpdate,
): void {
  if (data !== undefined) checkPayload(data, connection.context.config.limits.maxPresenceDataBytes);
  const subscription = app.hub.subscriptions.require(session, required(channel));
  const { presence } = subscription.channel;
  if (presence === undefined) throw noPresence();
  presence.update(subscription, data);
  reply(connection, id, { case: "presenceUpdated", value: {} });
}

function noPresence(): FanfareError {
  return new FanfareError(ErrorCode.FAILED_PRECONDITION, "the channel's namespace has no presence");
}
