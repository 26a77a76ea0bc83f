import { describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { fullServerKill, isRight, runServerKills } from "./server-kills.ts";
import { judge, noFaults } from "./verdict.ts";

describe("kills of the server under load", () => {
  it.skipIf(requireTool("valkey-server") === undefined)(
    "lose, double and reorder nothing that was acknowledged",
    { timeout: 40_000 },
    async () => {
      const report = await runServerKills({ ...fullServerKill, kills: 5, maxSeconds: 20 }, () => {});
      expect(report).toMatchObject({ ...noFaults(), gaps: 0 });
      expect(isRight(report)).toBe(true);
      expect(isRight({ ...report, ownEnds: 1 })).toBe(false);
      expect(report.stored).toBe(report.acknowledged);
      expect(report.delivered).toBe(report.stored * fullServerKill.subscribers);
    },
  );
});

describe("the verdict on a log", () => {
  const acknowledged = ["a/1", "b/1", "a/2"].map((text, i) => ({ group: "g", text, offset: i + 1, repeated: false }));
  const log = acknowledged.map(({ text, offset }) => ({ text, offset }));
  const texts = log.map(({ text }) => text);
  const faultsOf = (stored = log, ...received: string[][]) => {
    const faults = noFaults();
    judge(faults, acknowledged, stored, received);
    return faults;
  };

  it("finds nothing wrong where nothing is, also with more stored than acknowledged", () => {
    expect(faultsOf(log, texts, texts)).toEqual(noFaults());
    expect(faultsOf([...log, { text: "b/2", offset: 4 }], [...texts, "b/2"])).toEqual(noFaults());
  });

  it("finds what the log lost, doubled, misplaced or reordered", () => {
    expect(faultsOf(log.slice(0, 2))).toEqual({ ...noFaults(), lostFromLog: 1 });
    expect(faultsOf([...log, { text: "a/2", offset: 4 }])).toEqual({ ...noFaults(), doubledInLog: 1 });
    expect(faultsOf(log.map((one) => (one.text === "b/1" ? { ...one, offset: 9 } : one)))).toMatchObject({
      misplaced: 1,
    });
    expect(faultsOf([log[2], log[1], log[0]] as typeof log)).toEqual({ ...noFaults(), outOfOrderInLog: 1 });
  });

  it("finds what a subscriber lost, had twice, had in another order, or had though it was never stored", () => {
    expect(faultsOf(log, texts, ["a/1", "a/2"])).toEqual({ ...noFaults(), lost: 1 });
    expect(faultsOf(log, [...texts, "a/1"])).toEqual({ ...noFaults(), doubled: 1 });
    expect(faultsOf(log, ["b/1", "a/1", "a/2"])).toEqual({ ...noFaults(), outOfOrder: 1 });
    expect(faultsOf(log, [...texts, "c/1"])).toEqual({ ...noFaults(), doubled: 1 });
  });
});
