import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { LinkOutcome, LinkPort, LinkRecord } from "../links/link-port.ts";
import { LinkScenario, type ScenarioNode } from "../links/testing/link-scenario.ts";
import type { NodeOutcome } from "../publish-outcome.ts";
import { liveBytes, RemoteDelivery, type RemoteLive, storedBytes } from "./remote-delivery.ts";

const channel = { appId: "app", key: "g:room" };
const body = Uint8Array.of(1, 2, 3);
const live: RemoteLive = {
  channel,
  body,
  volatile: false,
  conflation: "",
  expiresAtMs: 0,
  unrouted: false,
  origin: 2n ** 63n,
  seq: 2 ** 50,
  excludeSelf: true,
};

describe("records of messages", () => {
  it("are what the generated code reads", () => {
    const full = { ...live, volatile: true, conflation: "k", expiresAtMs: 2 ** 41, unrouted: true };
    expect(fromBinary(RecordSchema, liveBytes(full, 9)).kind).toMatchObject({
      case: "live",
      value: {
        appId: "app",
        channelKey: "g:room",
        body,
        reportId: 9,
        volatile: true,
        conflation: "k",
        expiresAtMs: 2n ** 41n,
        unrouted: true,
        origin: 2n ** 63n,
        seq: 2n ** 50n,
        excludeSelf: true,
      },
    });
    const entry = {
      position: { epoch: 2, offset: 2 ** 40, tag: 0xffff_ffff },
      previousTag: 5,
      body,
      origin: 0xffff_ffff_ffff_ffffn,
      expiresAtMs: 7,
      excludeSelf: true,
    };
    expect(fromBinary(RecordSchema, storedBytes(channel, entry, 3, true)).kind).toMatchObject({
      case: "stored",
      value: {
        appId: "app",
        channelKey: "g:room",
        epoch: 2n,
        offset: 2n ** 40n,
        tag: 0xffff_ffff,
        previousTag: 5,
        body,
        origin: 0xffff_ffff_ffff_ffffn,
        expiresAtMs: 7n,
        excludeSelf: true,
        reportId: 3,
        unrouted: true,
      },
    });
  });
});

describe("RemoteDelivery", () => {
  let clock: VirtualClock;
  let sent: { to: bigint; record: LinkRecord; settle: (outcome: LinkOutcome) => void }[];
  let delivery: RemoteDelivery;
  let outcomes: NodeOutcome[];

  beforeEach(() => {
    clock = new VirtualClock();
    sent = [];
    outcomes = [];
    const send: LinkPort["send"] = (to, record, settle = () => {}) => void sent.push({ to, record, settle });
    const sendToMany: LinkPort["sendToMany"] = (to, record, settles = []) => {
      for (const [index, node] of to.entries()) send(node, record, settles[index]);
    };
    delivery = new RemoteDelivery({ send, sendToMany } as LinkPort, clock);
  });

  const reportIdOf = (record: LinkRecord) => {
    const { kind } = fromBinary(RecordSchema, record.bytes);
    return kind.case === "live" ? kind.value.reportId : 0;
  };
  const report = (id: number) => ({ $typeName: "fanfare.cluster.v1alpha.DeliveryReport" as const, id, refused: false });
  const counts = { reached: 2, detached: 1, excluded: 0, online: true };

  it("sends the same bytes to all nodes, and is done with one as soon as it has them", () => {
    delivery.live([1n, 2n], live, false, (outcome) => outcomes.push(outcome));
    expect(sent.map(({ to }) => to)).toEqual([1n, 2n]);
    expect(sent[0]?.record.bytes).toBe(sent[1]?.record.bytes);
    sent[0]?.settle("delivered");
    sent[1]?.settle("failed");
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["delivered", "failed"]);
  });

  it("waits for the report of each node, whether it comes before the acknowledgement or behind it", () => {
    delivery.live([1n, 2n], live, true, (outcome) => outcomes.push(outcome));
    const id = reportIdOf(sent[0]?.record as LinkRecord);
    delivery.onReport(1n, { ...report(id), ...counts });
    sent[0]?.settle("delivered");
    sent[1]?.settle("delivered");
    expect(outcomes).toEqual([{ outcome: "delivered", report: counts }]);
    delivery.onReport(2n, { ...report(id), ...counts, refused: true });
    expect(outcomes[1]).toEqual({ outcome: "failed" });
    delivery.onReport(2n, { ...report(id), ...counts });
    expect(outcomes).toHaveLength(2);
    clock.advance(10_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not know what became of a message whose report does not come", () => {
    delivery.live([1n], live, true, (outcome) => outcomes.push(outcome));
    sent[0]?.settle("delivered");
    clock.advance(1_999);
    expect(outcomes).toEqual([]);
    clock.advance(4_000);
    expect(outcomes).toEqual([{ outcome: "unknown" }]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("word of a cleared log", () => {
  it("comes, or a loss of its channel in its place, also when a peer is out of reach for longer than records are held", async () => {
    const scenario = new LinkScenario();
    const [a, b] = scenario.nodes as [ScenarioNode, ScenarioNode];
    a.send(b, "before");
    await scenario.runFor(50);
    scenario.network.cut(b.incarnation);
    a.send(b, "suspends the link");
    await scenario.runFor(1_000);
    new RemoteDelivery(a.links, a.process.clock).cleared([b.incarnation], channel, { epoch: 2, offset: 0, tag: 0 });
    await scenario.runFor(4_000);
    scenario.network.heal();
    await scenario.runFor(5_000);
    a.send(b, "after");
    await scenario.runFor(100);
    expect(b.losses.flat()).toContainEqual(channel);
  });
});
