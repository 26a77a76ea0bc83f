import { LeaveReason, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { type NamespaceChange, namespaceOf } from "../namespace/namespace-registry.ts";
import type { AppHub } from "./app-hub.ts";

/**
 * Brings the groups of a namespace in line with its new rules: subscriptions of a namespace that is gone, and those that its rules do not
 * allow any more, are closed (FF-SB-005, FF-SB-006), and presence begins anew. Who may publish holds from the next request on.
 */
export function applyNamespaceChange(hub: AppHub, { name, policy }: NamespaceChange): void {
  const affected = [...hub.channels.groups()].filter(({ group }) => namespaceOf(group) === name);
  for (const { state } of affected) {
    for (const subscription of [...state.subscribers]) {
      if (policy !== undefined && hub.subscriptions.mayKeep(subscription)) continue;
      const reason = policy === undefined ? SubscriptionCloseReason.NAMESPACE : SubscriptionCloseReason.PERMISSION;
      hub.subscriptions.closeByServer(subscription, reason, LeaveReason.KICKED);
    }
    if (policy !== undefined && state.subscribers.size > 0) hub.channels.renewPresence(state);
  }
}
