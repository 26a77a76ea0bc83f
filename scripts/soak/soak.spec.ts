import { expect, it } from "vitest";
import { fullSoak, soakOptions } from "./options.ts";
import { runSoak } from "./soak-run.ts";

it("brings every message once and in order to 100 clients that are cut off every second", {
  timeout: 60_000,
}, async () => {
  const report = await runSoak({ ...fullSoak, clients: 100, seconds: 8, groups: 10, processes: 1 }, () => {});
  expect(report).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, gaps: 0, failedPublishes: [] });
  expect(report).toMatchObject({ published: 1600, received: report.expected });
  expect(report.resumes).toBeGreaterThan(300);
});

it("refuses numbers that are none", () => {
  expect(() => soakOptions(["--clients", "many"])).toThrow("--clients is a whole number from 1 on");
  expect(soakOptions(["--clients", "5", "--json"])).toMatchObject({ clients: 5, seconds: 60, json: true });
});
