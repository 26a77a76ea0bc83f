import type { MessageInitShape } from "@bufbuild/protobuf";
import type { NodeSchema } from "@fanfare/proto/control/v1";
import type { ControlNode } from "./control-context.ts";

/** A node, as the control API shows it. */
export type NodeInit = MessageInitShape<typeof NodeSchema>;

/** This node, as the caller of an app may see it: how many clients it has of other tenants is theirs. @param appId empty: an operator */
export function ownNode(node: ControlNode, appId: string): NodeInit {
  const all = node.describe();
  if (appId === "" || !node.appTable.areTenants) return all;
  const sessions = [...(node.apps.get(appId)?.hub.sessions.values() ?? [])];
  return { ...all, connections: sessions.filter(({ link }) => link !== undefined).length, sessions: sessions.length };
}

/** The same of a node of which nothing but its counts of all apps is known: an app is told none. */
export function knownNode({ appTable }: Pick<ControlNode, "appTable">, appId: string, known: NodeInit): NodeInit {
  return appId === "" || !appTable.areTenants ? known : { ...known, connections: 0, sessions: 0 };
}
