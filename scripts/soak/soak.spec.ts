import { expect, it } from "vitest";
import { readScriptOptions } from "../script-options.ts";
import { fullSoak, soakCommandLine, soakOptions } from "./options.ts";
import { isRight, runSoak } from "./soak-run.ts";

it("brings every message once and in order to 100 clients that are cut off every second", {
  timeout: 60_000,
}, async () => {
  const report = await runSoak({ ...fullSoak, clients: 100, seconds: 8, groups: 10, processes: 1 }, () => {});
  expect(report).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, gaps: 0, failedPublishes: [] });
  expect(report).toMatchObject({ published: 1600, received: report.expected });
  expect(report.resumes).toBeGreaterThan(300);
  const wrong = [{ lost: 1 }, { failedPublishes: ["no"] }, { expected: 0 }, { cuts: 0 }, { resumes: 0 }];
  expect([{}, ...wrong].map((change) => isRight({ ...report, ...change }))).toEqual([true, ...wrong.map(() => false)]);
});

it("is as large as the command line asks for, and in full without one", () => {
  const asked = (...args: string[]) => soakOptions(readScriptOptions(soakCommandLine, args).values);
  expect(asked()).toEqual(fullSoak);
  const groupsPerClient = 1;
  expect(asked("--groups", "1", "--rate", "7")).toEqual({
    ...fullSoak,
    groups: 1,
    groupsPerClient,
    messagesPerSecond: 7,
  });
});
