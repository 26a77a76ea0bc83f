import { ErrorCode, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type NodeOutcome, PublishOutcome } from "./publish-outcome.ts";
import { publishResultOf } from "./publish-result.ts";
import type { RouteResult } from "./router.ts";

const report = (reached: number, detached = 0) => ({ reached, detached, excluded: 0 });
const delivered = (reached: number, detached = 0): NodeOutcome => ({
  outcome: "delivered",
  report: report(reached, detached),
});

function outcomeOf(nodes: readonly NodeOutcome[], isForPlayer = false): RouteResult {
  const results: RouteResult[] = [];
  const outcome = new PublishOutcome(nodes.length, isForPlayer, (result) => results.push(result));
  for (const node of nodes) outcome.add(node);
  expect(results).toHaveLength(1);
  return results[0] as RouteResult;
}

describe("PublishOutcome", () => {
  it("adds up what all nodes report", () => {
    const result = outcomeOf([delivered(2, 1), delivered(0), delivered(3)]);
    expect(result).toEqual({ outcome: Outcome.DELIVERED, report: report(5, 1) });
  });

  it("is answered at once when nobody has to report", () => {
    expect(outcomeOf([])).toMatchObject({ outcome: Outcome.DELIVERED });
  });

  it("says that a player is offline only if no node has a session of it, and of a group never", () => {
    expect(outcomeOf([delivered(0), delivered(0)], true)).toMatchObject({ outcome: Outcome.OFFLINE });
    expect(outcomeOf([delivered(0), delivered(0, 1)], true)).toMatchObject({ outcome: Outcome.DELIVERED });
    expect(outcomeOf([delivered(0)])).toMatchObject({ outcome: Outcome.DELIVERED });
  });

  it("does not say so of a player who has a session there that has unsubscribed its channel (FF-PB-013)", () => {
    const online: NodeOutcome = { outcome: "delivered", report: { ...report(0), online: true } };
    for (const nodes of [
      [online, delivered(0)],
      [delivered(0), online],
    ])
      expect(outcomeOf(nodes, true)).toEqual({ outcome: Outcome.DELIVERED, report: report(0) });
  });

  it("has failed when a node has certainly not got it, and nobody has", () => {
    const failed = outcomeOf([delivered(0, 1), { outcome: "failed" }]);
    expect(failed).toMatchObject({ outcome: Outcome.FAILED, code: ErrorCode.UNAVAILABLE });
  });

  it("is unknown when some have it, or may have it, and others have not (FF-PB-014)", () => {
    const unknown = { outcome: Outcome.UNKNOWN, code: ErrorCode.UNAVAILABLE };
    expect(outcomeOf([delivered(1), { outcome: "failed" }])).toMatchObject(unknown);
    const uncounted: NodeOutcome = { outcome: "delivered", report: undefined };
    expect(outcomeOf([uncounted, { outcome: "failed" }])).toMatchObject(unknown);
    const late = outcomeOf([{ outcome: "failed" }, { outcome: "unknown" }, delivered(1)]);
    expect(late).toMatchObject({ outcome: Outcome.UNKNOWN, code: ErrorCode.DEADLINE_EXCEEDED });
    expect(late.report).toEqual({ ...report(1), nodesUnreached: 2 });
  });

  it("tells in the report of an unknown one whom it reached, and how many nodes did not say (FF-PB-015, FF-PB-016)", () => {
    const nodes: NodeOutcome[] = [delivered(2), { outcome: "unknown" }, { outcome: "failed" }];
    const told = publishResultOf(outcomeOf(nodes), true);
    expect(told.report).toEqual({ ...report(2), nodesUnreached: 2 });
    expect(publishResultOf(outcomeOf(nodes), false)).not.toHaveProperty("report");
    expect(publishResultOf(outcomeOf([{ outcome: "failed" }]), true)).not.toHaveProperty("report");
  });
});
