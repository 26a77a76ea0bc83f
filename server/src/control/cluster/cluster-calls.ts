import { toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type Namespace, NamespaceSchema } from "@fanfare/proto/config/v1";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { NamespaceSetting } from "../../broker/settings-store.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { maxSessionLifeMs } from "../../hub/cluster-sessions.ts";
import { unknownNamespace } from "../../hub/subscriptions.ts";
import type { Question } from "../../router/cluster/asks.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import type { Targets } from "../../router/cluster/route-resolver.ts";
import { channelOf, groupKey, playerKey } from "../../wire/channel-key.ts";
import { appOf, callerOf } from "../caller-context.ts";
import type { ControlNode } from "../control-context.ts";
import { knownNode, ownNode } from "../node-view.ts";
import { mergedPage } from "./merged-page.ts";
import { nodeOf } from "./node-of.ts";
import type { LocalCalls, Scatter } from "./scatter.ts";

type Calls = Pick<
  ServiceImpl<typeof ControlService>,
  | Exclude<keyof LocalCalls, "callPlayer">
  | "joinGroup"
  | "leaveGroup"
  | "listMemberships"
  | "listMembers"
  | "putNamespace"
  | "deleteNamespace"
>;

/** How long a withdrawal of tokens is remembered, in milliseconds; tokens that live longer are good again after it. */
const revocationLifeMs = 24 * 60 * 60_000;
const maxPageSize = 100;
/** How long another node may take to be told, in milliseconds: by then it has answered, or counts as gone. */
const tellMs = 15_000;
/** How long it has for one answer, and after which it is asked again at the earliest, in milliseconds. */
const askMs = 2_000;
const retryMs = 200;
/** How long a node has to describe itself, in milliseconds. */
const describeMs = 500;

/** Bytes of a namespace, encoded: several times what its fields can take. */
const maxNamespaceBytes = 2_048;

/** The calls of the control API that concern more than one node: what is stored is stored for all, and the rest is put together. */
export function clusterCalls(node: ControlNode, cluster: Cluster, scatter: Scatter): Calls {
  const { broker } = cluster;

  /** Tells every node that may have the player. */
  async function changeMembership(
    context: HandlerContext,
    playerId: string,
    group: string,
    member: boolean,
  ): Promise<{ changed: boolean }> {
    const { appId } = callerOf(context);
    cluster.requireMember();
    const { changed, version } = member
      ? await broker.memberships.add(appId, playerId, group, node.config.limits.maxMemberships)
      : await broker.memberships.remove(appId, playerId, group);
    const type = member ? ("membership-joined" as const) : ("membership-left" as const);
    if (changed) appOf(node, context).hub.events.emit({ type, playerId, group });
    // Also what was so before: whoever made it so may not have got as far as telling it.
    const change = { playerId, group, member, version: BigInt(version), mayLack: !changed };
    const nodes = await nodesOf(playerId, appId);
    const question = { case: "membership" as const, value: change };
    const [told] = await Promise.all([
      Promise.all(cluster.othersOf(nodes).map((peer) => tell(peer, question, appId))),
      appOf(node, context).sessions?.applyMembership(change),
    ]);
    cluster.requireMember();
    const silent = told.filter((isTold) => !isTold).length;
    if (silent === 0) return { changed };
    const message = `the membership is stored, but ${silent} of the player's nodes do not answer; the call can be repeated`;
    throw new FanfareError(ErrorCode.UNAVAILABLE, message);
  }

  /** Where a player is. Asked again while nobody knows: a node that has just come is on the route, and not among the peers. @throws FanfareError UNAVAILABLE */
  async function nodesOf(playerId: string, appId: string): Promise<Exclude<Targets, "unreachable">> {
    const untilMs = node.clock.monotonicMs() + tellMs;
    for (;;) {
      try {
        return await broker.routes.read({ appId, key: playerKey(playerId) });
      } catch {
        if (node.clock.monotonicMs() + retryMs > untilMs) break;
        await new Promise<void>((resolve) => node.clock.setTimer(retryMs, resolve));
      }
    }
    const message = "the membership is stored, but the player's nodes cannot be found out; the call can be repeated";
    throw new FanfareError(ErrorCode.UNAVAILABLE, message);
  }

  /** Asks again until the other node answers or is gone. False: it does neither in time. */
  async function tell(peer: bigint, question: Question, appId: string): Promise<boolean> {
    const untilMs = node.clock.monotonicMs() + tellMs;
    while (!cluster.nodes.isDead(peer)) {
      const deadlineMs = Math.min(askMs, untilMs - node.clock.monotonicMs());
      if (deadlineMs <= 0) return false;
      const beganMs = node.clock.monotonicMs();
      try {
        await cluster.ask(peer, question, { appId, deadlineMs });
        return true;
      } catch {
        const restMs = Math.min(beganMs + retryMs, untilMs) - node.clock.monotonicMs();
        if (restMs > 0) await new Promise<void>((resolve) => node.clock.setTimer(restMs, resolve));
      }
    }
    return true;
  }

  /** This node goes by it as the others do: by what is stored. */
  async function changeSettings(appId: string, name: string, setting: NamespaceSetting): Promise<void> {
    cluster.requireMember();
    const version = await broker.settings.setNamespace(appId, name, setting);
    const question = { case: "settings" as const, value: { version: BigInt(version) } };
    await Promise.allSettled([
      node.settings?.atLeast(version),
      ...cluster.peers.map((peer) => cluster.ask(peer, question)),
    ]);
    // It is stored, but who counts as gone has told nobody, and not itself as it comes back.
    cluster.requireMember();
  }

  /** First in the store, for those that are between two nodes or whose node is gone. What nodes can end is ended in any case. */
  async function endingSessions<T>(context: HandlerContext, playerId: string, end: () => Promise<T>): Promise<T> {
    const [stored] = await Promise.allSettled([
      broker.standing.kick(callerOf(context).appId, playerId, maxSessionLifeMs),
    ]);
    const ended = await end();
    if (stored.status === "rejected") throw stored.reason;
    return ended;
  }

  return {
    joinGroup({ playerId, group }, context) {
      const { hub } = appOf(node, context);
      if (hub.namespaces.policyForGroup(group) === undefined) throw unknownNamespace(channelOf(groupKey(group)));
      return changeMembership(context, playerId, group, true);
    },

    leaveGroup: ({ playerId, group }, context) => changeMembership(context, playerId, group, false),

    async listMemberships({ playerId }, context) {
      const { groups } = await broker.memberships.groupsOf(callerOf(context).appId, playerId);
      return { groups: [...groups] };
    },

    async listMembers({ group, pageSize, pageToken }, context) {
      const { appId } = callerOf(context);
      const after = pageToken === "" ? undefined : nameOf(pageToken);
      const { names, next } = await broker.memberships.playersOf(appId, group, after, pageSize || maxPageSize);
      return { playerIds: [...names], nextPageToken: next === undefined ? "" : tokenOf(next) };
    },

    async listSessions(request, context) {
      const pages = await scatter.everywhere("listSessions", request, context);
      const lists = pages.map(({ sessions = [], nextPageToken = "" }) => ({ items: sessions, nextPageToken }));
      const { items, nextPageToken } = mergedPage("sessions", lists, ({ sessionId }) => sessionId ?? "", request);
      return { sessions: items, nextPageToken };
    },

    async listGroups(request, context) {
      const pages = await scatter.everywhere("listGroups", request, context);
      const lists = pages.map(({ groups = [], nextPageToken = "" }) => ({ items: groups, nextPageToken }));
      const { items, nextPageToken } = mergedPage(
        "groups",
        lists,
        ({ group }) => group ?? "",
        request,
        (a, b) => ({
          ...a,
          sessions: (a.sessions ?? 0) + (b.sessions ?? 0),
        }),
      );
      return { groups: items, nextPageToken };
    },

    async getPresence(request, context) {
      const { channel } = request;
      const { presence } = appOf(node, context);
      // The own part checks what is asked for.
      const { page: own } = await scatter.here("getPresence", request, context);
      if (channel === undefined || presence === undefined) return { page: own ?? {} };
      return { page: await presence.page(channel, request) };
    },

    async disconnect(request, context) {
      const { target } = request;
      const end = () => scatter.everywhere("disconnect", request, context);
      const all = await (target.case === "playerId" ? endingSessions(context, target.value, end) : end());
      return { sessions: sum(all, ({ sessions }) => sessions) };
    },

    async ban(request, context) {
      const { playerId, durationS, reason } = request;
      const untilMs = durationS === 0 ? Number.POSITIVE_INFINITY : node.clock.nowMs() + durationS * 1000;
      await broker.standing.ban(callerOf(context).appId, playerId, untilMs, reason);
      const end = () => scatter.everywhere("ban", request, context);
      return { sessions: sum(await endingSessions(context, playerId, end), ({ sessions }) => sessions) };
    },

    async unban(request, context) {
      const changed = await broker.standing.unban(callerOf(context).appId, request.playerId);
      // What nodes remember beside is a copy, and refuses nobody who comes anew: a node that does not answer keeps it for nothing, and the ban is lifted.
      await scatter.everywhere("unban", request, context).catch(() => {});
      return { changed };
    },

    async revokeTokens({ playerId, issuedBeforeMs }, context) {
      const before = issuedBeforeMs === 0n ? BigInt(Math.trunc(node.clock.nowMs())) : issuedBeforeMs;
      await broker.standing.revoke(callerOf(context).appId, playerId, Number(before), revocationLifeMs);
      const request = { playerId, issuedBeforeMs: before } as Parameters<LocalCalls["revokeTokens"]>[0];
      const all = await scatter.everywhere("revokeTokens", request, context);
      return { connections: sum(all, ({ connections }) => connections) };
    },

    async erasePlayer(request, context) {
      const { playerId } = request;
      const { appId } = callerOf(context);
      const end = () => scatter.everywhere("erasePlayer", request, context);
      const all = await endingSessions(context, playerId, end);
      const { groups } = await broker.memberships.groupsOf(appId, playerId);
      for (const group of groups) await changeMembership(context, playerId, group, false);
      await broker.standing.unban(appId, playerId);
      return { sessions: sum(all, ({ sessions }) => sessions), memberships: groups.length };
    },

    async listNodes(request, context) {
      const { appId } = callerOf(context);
      // As each describes itself now; one that does not answer soon, as it did last.
      const others = [...cluster.nodes.peers.values()].map(async (peer) => {
        const answer = scatter.at(peer.incarnation, "listNodes", request, context, describeMs);
        const known = knownNode(node, appId, nodeOf(peer));
        return await answer.then(({ nodes = [] }) => nodes[0] ?? known).catch(() => known);
      });
      const nodes = [ownNode(node, appId), ...(await Promise.all(others))];
      return { nodes: nodes.sort((a, b) => ((a.nodeId ?? "") < (b.nodeId ?? "") ? -1 : 1)) };
    },

    async drain(request, context) {
      const { nodeId } = request;
      if (nodeId === "") return scatter.here("drain", request, context);
      const nodes = [{ nodeId: node.config.nodeId, incarnation: cluster.incarnation }, ...cluster.nodes.peers.values()];
      const [incarnation, ...others] = nodes.filter((one) => one.nodeId === nodeId).map((one) => one.incarnation);
      if (incarnation === undefined) {
        throw new FanfareError(ErrorCode.NOT_FOUND, `there is no node "${nodeId}"`, { field: "node_id" });
      }
      if (others.length > 0) throw ambiguous(nodeId, [incarnation, ...others]);
      if (incarnation === cluster.incarnation) return scatter.here("drain", request, context);
      return scatter.at(incarnation, "drain", request, context);
    },

    async putNamespace({ namespace }, context) {
      const { appId } = callerOf(context);
      const { namespaces } = appOf(node, context).hub;
      const created = namespaces.check(namespace?.name ?? "", namespace?.rules);
      if (namespace !== undefined) await changeSettings(appId, namespace.name, encoded(namespace));
      return { created };
    },

    async deleteNamespace({ name }, context) {
      const { namespaces } = appOf(node, context).hub;
      const changed = namespaces.has(name);
      // Remembered only as long as there is something to hide: else whoever deletes what never was would fill the store.
      await changeSettings(callerOf(context).appId, name, namespaces.isDefined(name) ? "removed" : undefined);
      return { changed };
    },
  };
}

/** What is stored of a namespace: fields that are not known here, of which there can be megabytes, are left out. @throws FanfareError TOO_LARGE */
function encoded(namespace: Namespace): Uint8Array {
  const bytes = toBinary(NamespaceSchema, namespace, { writeUnknownFields: false });
  if (bytes.length <= maxNamespaceBytes) return bytes;
  const message = `the namespace has ${bytes.length} bytes; at most ${maxNamespaceBytes} are allowed`;
  throw new FanfareError(ErrorCode.TOO_LARGE, message, { field: "namespace" });
}

/** Whichever is taken, it can be the wrong one. */
function ambiguous(nodeId: string, incarnations: readonly bigint[]): FanfareError {
  const which = incarnations.map((incarnation) => incarnation.toString(16)).join(", ");
  const message =
    `${incarnations.length} nodes have the name "${nodeId}" (incarnations ${which}): end the one that is meant with SIGTERM, ` +
    "and give each a node_id of its own. One that was killed a moment ago still counts for a few seconds";
  return new FanfareError(ErrorCode.FAILED_PRECONDITION, message, { field: "node_id" });
}

function sum<T>(all: readonly T[], of: (one: T) => number | undefined): number {
  return all.reduce((total, one) => total + (of(one) ?? 0), 0);
}

function tokenOf(name: string): string {
  return Buffer.from(`members\n${name}`).toString("base64url");
}

function nameOf(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (text.startsWith("members\n") && tokenOf(text.slice(8)) === token) return text.slice(8);
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "the page token is not one that this list gave", {
    field: "page_token",
  });
}
