import { LeaveReason, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { type NamespaceChange, namespaceOf } from "../namespace/namespace-registry.ts";
import type { AppHub } from "./app-hub.ts";

/**
 * Brings the groups of a namespace in line with its new rules: subscriptions of a namespace that is gone are closed, presence begins
 * anew. Who may subscribe or publish holds from the next request on; subscriptions that stand are kept.
 */
export function applyNamespaceChange(hub: AppHub, { name, policy }: NamespaceChange): void {
  const affected = [...hub.channels.groups()].filter(({ group }) => namespaceOf(group) === name);
  for (const { state } of affected) {
    if (policy !== undefined) {
      hub.channels.renewPresence(state);
      continue;
    }
    for (const subscription of [...state.subscribers]) {
      hub.subscriptions.closeByServer(subscription, SubscriptionCloseReason.NAMESPACE, LeaveReason.KICKED);
    }
  }
}
