import { LeaveReason, SubscriptionCloseReason } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { type NamespaceChange, namespaceOf, type OwnRulesChange } from "../namespace/namespace-registry.ts";
import { broadcastKey } from "../wire/channel-key.ts";
import type { AppHub } from "./app-hub.ts";
import type { ChannelState } from "./channel-state.ts";

/**
 * Brings the groups of a namespace in line with its new rules: subscriptions of a namespace that is gone, and those that its rules do not
 * allow any more, are closed (FF-SB-005, FF-SB-006), and presence begins anew. Who may publish holds from the next request on.
 */
export function applyNamespaceChange(hub: AppHub, { name, former, policy }: NamespaceChange): void {
  const affected = [...hub.channels.groups()].filter(({ group }) => namespaceOf(group) === name);
  for (const { state } of affected) applyRules(hub, state, former, policy);
}

/** The same for players' own channels, or for broadcast, which everybody keeps. */
export function applyOwnRulesChange(hub: AppHub, { kind, former, policy }: OwnRulesChange): void {
  const isAffected = ({ channel, key }: ChannelState) =>
    kind === "broadcast" ? key === broadcastKey : channel.kind.case === "player";
  for (const state of [...hub.channels.all()].filter(isAffected)) applyRules(hub, state, former, policy);
}

function applyRules(
  hub: AppHub,
  state: ChannelState,
  former: ChannelPolicy | undefined,
  policy: ChannelPolicy | undefined,
): void {
  if (policy !== undefined && former !== undefined && former.deliveryClass !== policy.deliveryClass) {
    return beginAnew(hub, state);
  }
  for (const subscription of [...state.subscribers]) {
    if (policy !== undefined && hub.subscriptions.mayKeep(subscription)) continue;
    const reason = policy === undefined ? SubscriptionCloseReason.NAMESPACE : SubscriptionCloseReason.PERMISSION;
    hub.subscriptions.closeByServer(subscription, reason, LeaveReason.KICKED);
  }
  if (policy !== undefined && state.subscribers.size > 0) hub.channels.renewPresence(state);
}

/**
 * A channel of another delivery class is another channel: what was subscribed is over. What a session is owed is opened again at once; clients subscribe
 * the rest again, if they still may.
 */
function beginAnew(hub: AppHub, state: ChannelState): void {
  for (const subscription of [...state.subscribers]) {
    const { session, byServer } = subscription;
    const isKept = hub.subscriptions.mayKeep(subscription);
    const reason = isKept ? SubscriptionCloseReason.FAILED : SubscriptionCloseReason.PERMISSION;
    hub.subscriptions.closeByServer(subscription, reason, isKept ? LeaveReason.LEFT : LeaveReason.KICKED);
    if (byServer && !session.departed) hub.subscriptions.announceOpened(session, state.key);
  }
  if (hub.channels.get(state.key) === state && state.subscribers.size > 0) hub.channels.renewPresence(state);
}
