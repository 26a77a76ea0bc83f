import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { type Channel, ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { AppHub } from "../hub/app-hub.ts";
import { type ReadableChannel, readHistory, requireDurable } from "../hub/durable/history.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { fromWirePosition, toWirePosition } from "../log/log-position.ts";
import { channelKey } from "../wire/channel-key.ts";
import { appOf } from "./caller-context.ts";
import type { ControlNode } from "./control-context.ts";

type LogCalls = Pick<ServiceImpl<typeof ControlService>, "getHistory" | "deleteMessage" | "clearChannel">;

/** The logs of durable channels. */
export function logCalls(node: ControlNode): LogCalls {
  return {
    async getHistory({ query }, context) {
      const { hub } = appOf(node, context);
      const given = required(query, "query");
      return { page: await readHistory(hub.messageLog, durable(hub, given.channel, "query.channel"), given) };
    },

    async deleteMessage(request, context) {
      const { hub } = appOf(node, context);
      const { appId, channel, policy } = durable(hub, request.channel, "channel");
      const position = fromWirePosition(required(request.position, "position"));
      const verdict = await hub.messageLog.deleteMessage({ appId, key: channelKey(channel) }, policy, position);
      if (verdict === "ok") return {};
      throw verdict === "trimmed"
        ? new FanfareError(ErrorCode.NOT_FOUND, "the log does not keep that position any more", { field: "position" })
        : new FanfareError(ErrorCode.POSITION_INVALID, "the position is not one of the log", { field: "position" });
    },

    async clearChannel(request, context) {
      const { hub, router } = appOf(node, context);
      const { appId, channel, policy } = durable(hub, request.channel, "channel");
      const key = channelKey(channel);
      const head = await hub.messageLog.clear({ appId, key }, policy);
      router.cleared(key, head);
      return { head: toWirePosition(head) };
    },
  };
}

/** @throws FanfareError INVALID_ARGUMENT, UNKNOWN_NAMESPACE, FAILED_PRECONDITION */
function durable(hub: AppHub, given: Channel | undefined, field: string): ReadableChannel {
  const channel = required(given, field);
  const policy = hub.namespaces.policyFor(channel);
  if (policy === undefined) throw unknownNamespace(channel);
  requireDurable(policy);
  return { appId: hub.appId, channel, policy };
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "has to be set", { field });
  return value;
}
