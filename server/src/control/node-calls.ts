import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { rulesOf } from "../config/channel-policy.ts";
import { FanfareError } from "../fanfare-error.ts";
import { appOf, callerOf } from "./caller-context.ts";
import type { BeginDrain, ControlNode } from "./control-context.ts";
import { ownNode } from "./node-view.ts";

type NodeCalls = Pick<
  ServiceImpl<typeof ControlService>,
  "listNodes" | "drain" | "listNamespaces" | "putNamespace" | "deleteNamespace"
>;

/** Nodes and settings. */
export function nodeCalls(node: ControlNode, beginDrain: BeginDrain): NodeCalls {
  return {
    listNodes(_request, context) {
      return { nodes: [ownNode(node, callerOf(context).appId)] };
    },

    drain({ nodeId, windowMs, deadlineMs }) {
      if (nodeId !== "" && nodeId !== node.config.nodeId) {
        throw new FanfareError(ErrorCode.NOT_FOUND, `there is no node "${nodeId}"`, { field: "node_id" });
      }
      const { told } = beginDrain({
        ...(windowMs === 0 ? {} : { windowMs }),
        ...(deadlineMs === 0 ? {} : { deadlineMs }),
      });
      return { sessions: told };
    },

    listNamespaces(_request, context) {
      const all = appOf(node, context).hub.namespaces.list();
      return { namespaces: all.map(([name, policy]) => ({ name, rules: rulesOf(policy) })) };
    },

    putNamespace({ namespace }, context) {
      const { namespaces } = appOf(node, context).hub;
      return { created: namespaces.put(namespace?.name ?? "", namespace?.rules) };
    },

    deleteNamespace({ name }, context) {
      return { changed: appOf(node, context).hub.namespaces.delete(name) };
    },
  };
}
