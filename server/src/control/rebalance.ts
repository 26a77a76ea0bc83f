import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type ControlService, NodeState } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import type { Scatter } from "./cluster/scatter.ts";
import type { ControlNode, SendAway } from "./control-context.ts";

type RebalanceCall = Pick<ServiceImpl<typeof ControlService>, "rebalance">;

/** A node, and how many clients it has. */
interface Load {
  readonly incarnation: bigint;
  readonly connections: number;
}

/** Of a node alone: there is nobody to send anybody to. */
export const rebalanceAlone: RebalanceCall = { rebalance: () => ({ sessions: 0 }) };

/** Sends away what nodes have above the mean. Where clients go is decided by whatever balances their load. */
export function rebalanceCalls(
  node: ControlNode,
  cluster: Cluster,
  scatter: Scatter,
  sendAway: SendAway,
): RebalanceCall {
  cluster.answer("sendAway", (_from, { question }) => {
    if (question.case !== "sendAway") throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "nobody is to be sent away");
    return { case: "sentAway", value: sendAway(question.value).told };
  });

  async function sendFrom(incarnation: bigint, sessions: number, windowMs: number): Promise<number> {
    if (incarnation === cluster.incarnation) return sendAway({ sessions, windowMs }).told;
    const answer = await cluster.ask(incarnation, { case: "sendAway", value: { sessions, windowMs } });
    return answer.case === "sentAway" ? answer.value : 0;
  }

  return {
    async rebalance(request, context: HandlerContext) {
      const answers = await scatter.everywhere("listNodes", {} as never, context);
      const loads = answers
        .flatMap(({ nodes = [] }) => nodes)
        .filter(({ state }) => state === NodeState.READY)
        .map(({ incarnation = 0n, connections = 0 }) => ({ incarnation, connections }));
      const surplus = surplusOf(loads, request.percent || 100);
      const windowMs = request.windowMs || node.config.timing.drainWindowMs;
      const told = await Promise.allSettled(
        [...surplus].map(([incarnation, sessions]) => sendFrom(incarnation, sessions, windowMs)),
      );
      const silent = told.filter(({ status }) => status === "rejected");
      if (silent.length > 0) {
        const message = `${silent.length} of ${surplus.size} nodes that are too full did not answer; the call can be repeated`;
        throw new FanfareError(ErrorCode.UNAVAILABLE, message, { cause: silent[0] });
      }
      return { sessions: told.reduce((sum, one) => sum + (one.status === "fulfilled" ? one.value : 0), 0) };
    },
  };
}

/** How many each node that has more than the mean gives away: so much of its surplus, rounded down. */
export function surplusOf(loads: readonly Load[], percent: number): ReadonlyMap<bigint, number> {
  const mean = Math.ceil(loads.reduce((sum, { connections }) => sum + connections, 0) / loads.length);
  const surplus = loads.map(({ incarnation, connections }) => {
    const above = Math.max(0, connections - mean);
    return [incarnation, Math.floor((above * percent) / 100)] as const;
  });
  return new Map(surplus.filter(([, count]) => count > 0));
}
