import { type ContextKey, createContextKey } from "@connectrpc/connect";
import type { NodeRecord } from "@fanfare/proto/cluster/v1alpha";
import type { ApiKeys } from "../../auth/api-keys.ts";
import type { ResolvedConfig } from "../../config/resolved-config.ts";
import type { SettingsSync } from "../../hub/settings-sync.ts";
import type { NodeApps } from "../../node-apps.ts";
import type { Log } from "../../observe/log.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";

/** The node as whoever runs it may change it. */
export interface OperatorNode {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly appTable: NodeApps;
  readonly apiKeys: ApiKeys;
  /** Undefined: this node is alone, and keeps apps itself. */
  readonly cluster: Cluster | undefined;
  readonly settings: SettingsSync | undefined;
}

/** Who calls the operator API: by a key of an operator, or of an app, which is refused. */
export type OperatorCaller = { readonly operator: string } | { readonly app: string };

/** Undefined: nobody who is known. */
export const operatorKey: ContextKey<OperatorCaller | undefined> = createContextKey<OperatorCaller | undefined>(
  undefined,
  { description: "the caller of the operator API" },
);

/** A node that would not understand an app that is put; undefined: all do. */
export function olderNode(cluster: Cluster): NodeRecord | undefined {
  return [...cluster.nodes.peers.values()].find(({ settingsRevision }) => settingsRevision < 1);
}
