import { NodeState } from "@fanfare/proto/control/v1";
import { CloseCode, GoawayReason } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { ControlFixture, refusalNames, testConfig } from "./testing/control-fixture.ts";

describe("ListNodes", () => {
  it("tells of the one node there is", async () => {
    await using fixture = await ControlFixture.start();
    await fixture.player("ann");
    const { nodes } = await fixture.client().listNodes({});
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({
      nodeId: "n1",
      state: NodeState.READY,
      connections: 1,
      sessions: 1,
      broker: "memory",
      incarnation: expect.any(BigInt),
    });
  });
});

describe("Drain", () => {
  it("answers how many were told, sends them away, and closes the server", async () => {
    await using fixture = await ControlFixture.start();
    const ann = await fixture.player("ann", { features: ["resume", "hand_over"] });
    const { sessions } = await fixture.client().drain({ windowMs: 1000, deadlineMs: 30_000 });
    expect(sessions).toBe(1);
    expect(await ann.frame("goaway")).toMatchObject({ reason: GoawayReason.DRAINING, deadlineMs: 30_000 });
    const token = await fixture.token("bob");
    const late = await fixture.hello({ token });
    expect((await late.ended()).code).toBe(CloseCode.GOING_AWAY);
    expect((await fixture.client().listNodes({})).nodes[0]?.state).toBe(NodeState.DRAINING);
    expect((await fixture.client().drain({})).sessions).toBe(0);
    ann.cut();
    await fixture.server.closed;
  });

  it("is answered even if nobody is there to wait for", async () => {
    await using fixture = await ControlFixture.start();
    expect((await fixture.client().drain({ nodeId: "n1" })).sessions).toBe(0);
    await fixture.server.closed;
  });

  it("closes who has not left by the deadline", async () => {
    await using fixture = await ControlFixture.start();
    const ann = await fixture.player("ann", { features: ["resume", "hand_over"] });
    await fixture.client().drain({ windowMs: 1, deadlineMs: 50 });
    expect((await ann.ended()).code).toBe(CloseCode.GOING_AWAY);
    await fixture.server.closed;
  });

  it("takes window and deadline from the configuration", async () => {
    await using fixture = await ControlFixture.start(
      testConfig({ timing: { drainWindowMs: 10, drainDeadlineMs: 40_000 } }),
    );
    const ann = await fixture.player("ann");
    await fixture.client().drain({});
    expect((await ann.frame("goaway")).deadlineMs).toBe(40_000);
  });

  it("knows no other node", async () => {
    await using fixture = await ControlFixture.start();
    expect(await refusalNames(fixture.client().drain({ nodeId: "n2" }))).toBe("NotFound NOT_FOUND node_id");
    expect((await fixture.client().listNodes({})).nodes[0]?.state).toBe(NodeState.READY);
  });
});

describe("Rebalance", () => {
  it("sends nobody away from a node that is alone", async () => {
    await using fixture = await ControlFixture.start();
    const ann = await fixture.player("ann", { features: ["resume", "hand_over"] });
    expect((await fixture.client().rebalance({})).sessions).toBe(0);
    const session = fixture.server.node.apps.get("game")?.hub.sessions.get(ann.welcome.sessionId);
    expect(session?.link?.goingAway).toBe(false);
  });
});
