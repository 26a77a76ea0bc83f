import type { ServiceImpl } from "@connectrpc/connect";
import { PresenceMode } from "@fanfare/proto/config/v1";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { channelKey, channelOf, groupKey } from "../wire/channel-key.ts";
import { appOf } from "./caller-context.ts";
import type { ControlNode } from "./control-context.ts";
import { pageOf } from "./page.ts";

type GroupCalls = Pick<
  ServiceImpl<typeof ControlService>,
  "joinGroup" | "leaveGroup" | "listMemberships" | "listMembers" | "listGroups" | "getPresence"
>;

/** Memberships, occupied groups and presence. */
export function groupCalls(node: ControlNode): GroupCalls {
  return {
    joinGroup({ playerId, group }, context) {
      const { hub } = appOf(node, context);
      if (hub.namespaces.policyForGroup(group) === undefined) throw unknownNamespace(channelOf(groupKey(group)));
      return { changed: hub.join(playerId, group) };
    },

    leaveGroup({ playerId, group }, context) {
      return { changed: appOf(node, context).hub.leave(playerId, group) };
    },

    listMemberships({ playerId }, context) {
      return { groups: appOf(node, context).hub.memberships.groupsOf(playerId) };
    },

    listMembers(request, context) {
      const players = appOf(node, context).hub.memberships.playersOf(request.group);
      const { items, nextPageToken } = pageOf("members", players, (playerId) => playerId, request);
      return { playerIds: [...items], nextPageToken };
    },

    listGroups(request, context) {
      const all = [...appOf(node, context).hub.channels.groups()];
      const groups = all.filter(({ group }) => group.startsWith(request.prefix));
      const { items, nextPageToken } = pageOf("groups", groups, ({ group }) => group, request);
      return {
        groups: items.map(({ group, state }) => ({ group, sessions: state.subscribers.size })),
        nextPageToken,
      };
    },

    getPresence({ channel, ...query }, context) {
      const { hub } = appOf(node, context);
      if (channel === undefined) return { page: {} }; // the guard has seen to it
      const policy = hub.namespaces.policyFor(channel);
      if (policy === undefined) throw unknownNamespace(channel);
      if (policy.presence === PresenceMode.OFF) {
        throw new FanfareError(ErrorCode.FAILED_PRECONDITION, "the channel's namespace has no presence");
      }
      return { page: hub.channels.get(channelKey(channel))?.presence?.page(query) ?? {} };
    },
  };
}
