import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import { playerKey } from "../../wire/channel-key.ts";
import { callerOf } from "../caller-context.ts";
import type { ControlNode } from "../control-context.ts";
import { newestCallee } from "../session-calls.ts";
import type { Scatter } from "./scatter.ts";

type CallPlayer = Pick<ServiceImpl<typeof ControlService>, "callPlayer">;

/** How long a node may take to say when its session was connected; one that does not is called last. In milliseconds. */
const ageMs = 1_000;
/** How long a call may take if it does not say, and how much longer its answer may be on its way, in milliseconds. */
const callMs = 10_000;
const slackMs = 1_000;

/** Of what several nodes refuse a call with, what says most: whether a player is offline is not known where a node cannot be reached. */
const refusals: readonly ErrorCode[] = [ErrorCode.NOT_FOUND, ErrorCode.PLAYER_OFFLINE, ErrorCode.UNAVAILABLE];

/** Calls players of whom several nodes may have sessions. No call is carried out twice. */
export function callPlayerCall(node: ControlNode, cluster: Cluster, scatter: Scatter): CallPlayer {
  /** How long ago the session was connected that this node would ask. @throws FanfareError PLAYER_OFFLINE, NOT_FOUND */
  function ageHere(appId: string, playerId: string): number {
    const hub = node.apps.get(appId)?.hub;
    if (hub === undefined) throw new FanfareError(ErrorCode.NOT_FOUND, `the app "${appId}" is not served here`);
    return node.clock.monotonicMs() - newestCallee(hub, playerId).session.connectedAtMs;
  }

  cluster.answer("playerCallee", (_from, { appId, question }) => {
    const playerId = question.case === "playerCallee" ? question.value.playerId : "";
    return { case: "playerCalleeAgeMs", value: BigInt(Math.round(ageHere(appId, playerId))) };
  });

  async function ageAt(peer: bigint, appId: string, playerId: string): Promise<number> {
    if (peer === cluster.incarnation) return ageHere(appId, playerId);
    const beganMs = node.clock.monotonicMs();
    const question = { case: "playerCallee" as const, value: { playerId } };
    const answer = await cluster.ask(peer, question, { appId, deadlineMs: ageMs });
    if (answer.case !== "playerCalleeAgeMs") return Number.POSITIVE_INFINITY;
    // As of when all were asked, if the answer took as long as the question.
    return Number(answer.value) - (node.clock.monotonicMs() - beganMs) / 2;
  }

  /** Those first whose session was connected last; those last who do not say, or have none by now. */
  async function byAge(nodes: readonly bigint[], appId: string, playerId: string): Promise<readonly bigint[]> {
    if (nodes.length < 2) return nodes;
    const ages = await Promise.all(
      nodes.map(async (peer) => {
        const age = await ageAt(peer, appId, playerId).catch(() => Number.POSITIVE_INFINITY);
        return { peer, age };
      }),
    );
    return ages.sort((a, b) => (a.age === b.age ? 0 : a.age - b.age)).map(({ peer }) => peer);
  }

  return {
    async callPlayer(request, context: HandlerContext) {
      const { appId } = callerOf(context);
      const { playerId, sessionId } = request;
      const key = playerKey(playerId);
      const route = await cluster.broker.routes.read({ appId, key }).catch(() => "everybody" as const);
      const nodes = [cluster.incarnation, ...cluster.othersOf(route)];
      let refusal: FanfareError | undefined;
      for (const peer of sessionId === "" ? await byAge(nodes, appId, playerId) : nodes) {
        try {
          if (peer === cluster.incarnation) return await scatter.here("callPlayer", request, context);
          const withinMs = (request.rpc?.deadlineMs || callMs) + slackMs;
          return await scatter.at(peer, "callPlayer", request, context, withinMs);
        } catch (reason) {
          const error = FanfareError.from(reason);
          if (!refusals.includes(error.code)) throw reason;
          if (refusal === undefined || refusals.indexOf(error.code) > refusals.indexOf(refusal.code)) refusal = error;
        }
      }
      throw refusal;
    },
  };
}
