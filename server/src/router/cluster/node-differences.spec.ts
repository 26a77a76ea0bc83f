import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { NodeRecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEntry } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { NodeDifferences } from "./node-differences.ts";

const leaseMs = 6_000;
const own = { incarnation: 1n, nodeId: "one", lanes: 16, clusterKeys: [10, 11] };

describe("NodeDifferences", () => {
  let clock: VirtualClock;
  let differences: NodeDifferences;
  let entries: LogEntry[];

  beforeEach(() => {
    clock = new VirtualClock();
    entries = [];
    const log = createLog({ level: "debug", sink: (entry) => entries.push(entry), nowMs: () => 0 });
    differences = new NodeDifferences({ own, clock, log, leaseMs });
  });

  const nodeOf = (changes: MessageInitShape<typeof NodeRecordSchema>) =>
    create(NodeRecordSchema, { incarnation: 2n, nodeId: "two", lanes: 16, clusterKeys: [10], ...changes });

  /** Lets time pass while these nodes renew their leases. */
  function pass(ms: number, ...nodes: MessageInitShape<typeof NodeRecordSchema>[]): void {
    for (let passed = 0; passed < ms; passed += leaseMs / 4) {
      for (const node of nodes) differences.seen(nodeOf(node));
      clock.advance(leaseMs / 4);
    }
  }

  it("says nothing of a node that has the same, signs with either key, or is of a release that does not tell", () => {
    pass(5 * leaseMs, {}, { incarnation: 3n, nodeId: "three", clusterKeys: [11, 12] });
    pass(5 * leaseMs, { incarnation: 4n, nodeId: "four", lanes: 0, clusterKeys: [] });
    expect(entries).toEqual([]);
  });

  it("warns once of another number of lanes", () => {
    pass(5 * leaseMs, { lanes: 32 });
    expect(entries).toMatchObject([
      {
        level: "warn",
        message: expect.stringContaining("valkey.lanes"),
        fields: { node: "two", incarnation: "2", lanes: 32, lanesHere: 16 },
      },
    ]);
  });

  it("warns once of a node that signs with a key that is not known here", () => {
    pass(5 * leaseMs, { clusterKeys: [12, 10] });
    expect(entries).toMatchObject([
      { level: "warn", message: expect.stringContaining("cluster_keys"), fields: { node: "two", incarnation: "2" } },
    ]);
  });

  it("warns once of a node with this one's name, when both have lived for longer than a lease is seen", () => {
    pass(2 * leaseMs, { nodeId: "one" });
    expect(entries).toEqual([]);
    pass(5 * leaseMs, { nodeId: "one" });
    expect(entries).toMatchObject([
      {
        level: "warn",
        message: expect.stringContaining("node_id"),
        fields: { node: "one", incarnations: ["1", "2"] },
      },
    ]);
  });

  it("warns once of two others with the same name, and of a third", () => {
    const [two, three, four] = [{}, { incarnation: 3n }, { incarnation: 4n }];
    pass(leaseMs, two);
    pass(5 * leaseMs, two, three);
    expect(entries.map(({ fields }) => fields)).toEqual([{ node: "two", incarnations: ["2", "3"] }]);
    pass(5 * leaseMs, two, three, four);
    expect(entries.map(({ fields }) => fields.incarnations)).toEqual([
      ["2", "3"],
      ["2", "4"],
    ]);
  });

  it("says nothing of a name whose former bearer is seen until its lease ends, or is not buried yet", () => {
    pass(5 * leaseMs, {});
    pass(leaseMs, {}, { incarnation: 3n });
    pass(5 * leaseMs, { incarnation: 3n });
    differences.forget(2n);
    pass(5 * leaseMs, { incarnation: 3n });
    expect(entries).toEqual([]);
  });

  it("says nothing of a name that comes back when its former bearer has left", () => {
    for (const incarnation of [2n, 3n, 4n]) {
      pass(5 * leaseMs, { incarnation });
      differences.forget(incarnation);
    }
    expect(entries).toEqual([]);
  });
});
