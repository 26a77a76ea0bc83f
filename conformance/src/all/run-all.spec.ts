import { fileURLToPath } from "node:url";
import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { exitCodeOf } from "../report/outcome.ts";
import { Progress } from "./progress.ts";
import { runAll } from "./run-all.ts";
import { onlyNamed, readRunConfig } from "./run-config.ts";

const config = readRunConfig(fileURLToPath(new URL("../../conformance.yaml", import.meta.url)));
const nodeSdk = onlyNamed(config, ["node-sdk"]);
const suites = loadSuites(readRequirements());
const cases = ["core/handshake/welcome-is-complete", "client/core/connects"];

async function run(configuration: typeof config, isStrict = true) {
  let told = "";
  using progress = new Progress({ write: (text) => (told += text) });
  const options = { selection: { cases, forms: ["binary"] as const }, progress, patienceMs: 5_000, isStrict };
  const reports = await runAll(suites, configuration, options);
  return { reports, told: () => told };
}

describe("runAll", { timeout: 60_000 }, () => {
  it("holds servers and clients against their own cases, and names them as the configuration does", async () => {
    const { reports } = await run(onlyNamed(config, ["node-sdk", "fanfare-server"]));
    const found = reports.map(({ implementation, results }) => [implementation, results.map(({ id }) => id)]);
    expect(found).toEqual([
      ["fanfare-server", [cases[0]]],
      ["node-sdk", [cases[1]]],
    ]);
    expect(reports.flatMap(({ results }) => results.map(({ status }) => status))).toEqual([
      CaseStatus.PASS,
      CaseStatus.PASS,
    ]);
  });

  it("reports what cannot be prepared as a failure with what it printed, and runs the others", async () => {
    const broken = nodeSdk.clients.map((one) => ({ ...one, name: "broken", prepare: "echo no compiler >&2; exit 1" }));
    const { reports } = await run({ ...nodeSdk, clients: [...broken, ...nodeSdk.clients] });
    expect(reports.map(exitCodeOf)).toEqual([1, 0]);
    expect(reports[0]?.listProblems[0]).toMatch(/^broken could not be run: .*no compiler$/);
  });

  it("leaves out what takes a program that is missing, and says so; in CI that fails", async () => {
    const clients = nodeSdk.clients.map((one) => ({ ...one, programs: ["no-such-compiler"] }));
    const { reports, told } = await run({ ...nodeSdk, clients }, false);
    expect(reports).toEqual([]);
    expect(told()).toContain("node-sdk: left out, because there is no program no-such-compiler");
    const strict = await run({ ...nodeSdk, clients }, true);
    expect(strict.reports.map(exitCodeOf)).toEqual([1]);
  });
});
