import { CaseStatus, Level, Profile, type Report } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { type LoadedCase, loadSuites, readSuite } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { openReference } from "../mutants/reference-environment.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { exitCodeOf } from "../report/outcome.ts";
import { type RunOptions, runServerSuite } from "./run-server-suite.ts";

const requirements = readRequirements();

function casesOf(steps: string, more = ""): LoadedCase[] {
  const text = `
title: Test
profile: CORE
cases:
  - id: core/test/one
    title: A test
    specs: [FF-HS-013]
    binary_only: true
    actors: { ada: {}, bob: {} }
    ${more}
    steps:
${steps}`;
  return readSuite("test.yaml", text, requirements).map((definition) => ({ definition, file: "test.yaml" }));
}

async function run(cases: LoadedCase[], options: RunOptions = {}): Promise<Report> {
  await using environment = await openReference();
  return await runServerSuite(cases, { ...environment, patienceMs: 300 }, options);
}

describe("runServerSuite", () => {
  it("passes a case that holds", async () => {
    const report = await run(casesOf("      - { on: ada, join: { welcome: { appId: alpha } } }"));
    expect(report.results).toMatchObject([{ status: CaseStatus.PASS, message: "", trace: [] }]);
    expect(exitCodeOf(report)).toBe(0);
  });

  it("fails a case whose expectation does not hold, and says step, difference and trace", async () => {
    const report = await run(casesOf("      - { on: ada, join: { welcome: { appId: other } } }"));
    expect(report.results[0]).toMatchObject({
      status: CaseStatus.FAIL,
      step: 1,
      message: 'welcome.appId is "alpha", and has to be "other"',
    });
    expect(report.results[0]?.trace.map(({ text }) => text).join()).toContain("welcome");
    expect(exitCodeOf(report)).toBe(1);
  });

  it("fails a case whose frame does not come in time, and says what came", async () => {
    const steps = "      - { on: ada, join: {} }\n      - { on: ada, expect: { frames: [{ dropped: {} }] } }";
    const [result] = (await run(casesOf(steps))).results;
    expect(result).toMatchObject({ status: CaseStatus.FAIL, step: 2 });
    expect(result?.message).toMatch(/^waited in 300 ms for \{"dropped":\{\}\}; nothing came/);
  });

  it("fails a case in which something comes that must not", async () => {
    const steps = `
      - { on: ada, join: {} }
      - { on: ada, send: { frames: [{ publish: { channel: { group: "open:x" }, seq: 0 } }] } }
      - { on: ada, expect_nothing: { frames: [{ error: {} }], settled: true } }`;
    expect((await run(casesOf(steps))).results[0]?.message).toContain("which must not");
  });

  it("holds what several actors received against an order", async () => {
    const steps = (labels: string) => `
      - { on: ada, as: first, join: {} }
      - { on: bob, as: second, join: {} }
      - { order: { labels: ${labels} } }`;
    expect((await run(casesOf(steps("[first, second]")))).results[0]?.status).toBe(CaseStatus.PASS);
    expect((await run(casesOf(steps("[second, first]")))).results[0]?.message).toBe("first came before second");
  });

  it("calls what the case itself got wrong a harness error", async () => {
    const report = await run(casesOf("      - { on: ada, settle: {} }\n      - { on: ada, join: {} }"));
    expect(report.results[0]).toMatchObject({ status: CaseStatus.HARNESS_ERROR, message: "ada has no connection yet" });
    expect(exitCodeOf(report)).toBe(3);
  });

  it("calls a case unsupported only if the target does not claim what it needs", async () => {
    const report = await run(casesOf("      - { on: ada, join: {} }", "features: [telepathy]"));
    const message = "the feature telepathy is not claimed";
    expect(report.results[0]).toMatchObject({ status: CaseStatus.UNSUPPORTED, message });
    expect(exitCodeOf(report)).toBe(0);
  });

  it("takes a known failure for as it has to be, and an unexpected pass and a stale name for wrong", async () => {
    const known = (id: string) => ({ knownFailures: new KnownFailures([{ id, reason: "test" } as never]) });
    const failing = casesOf("      - { on: ada, join: { welcome: { appId: other } } }");
    expect(exitCodeOf(await run(failing, known("core/test/one")))).toBe(0);
    const passing = casesOf("      - { on: ada, join: {} }");
    expect(exitCodeOf(await run(passing, known("core/test/one")))).toBe(1);
    const stale = await run(passing, known("core/test/on"));
    expect(stale.listProblems).toEqual(["core/test/on is known to fail and is no case (did you mean core/test/one?)"]);
    expect(exitCodeOf(stale)).toBe(1);
  });

  it("runs cases side by side: sixteen that wait take about as long as one", async () => {
    const one = casesOf("      - { on: ada, join: {} }\n      - { elapse: { lasting: { seconds: 0.3 } } }");
    const { definition } = one[0] as LoadedCase;
    const many = Array.from({ length: 16 }, (_, i) => ({
      file: "",
      definition: { ...definition, id: `core/test/n${i}` },
    }));
    const report = await run(many);
    const alone = report.results.reduce((sum, { durationMs }) => sum + durationMs, 0);
    expect(report.results.every(({ status }) => status === CaseStatus.PASS)).toBe(true);
    expect(report.durationMs).toBeLessThan(alone / 4);
  });

  it("selects by case, spec, profile, level and form", async () => {
    const all = loadSuites(requirements);
    const profiles = [Profile.CORE];
    await using environment = await openReference();
    const selection = {
      cases: ["core/tokens"],
      specs: ["FF-TK-005"],
      profiles,
      level: Level.MUST,
      forms: ["binary"] as const,
    };
    const { results } = await runServerSuite(all, environment, { selection });
    expect(results.map(({ id }) => id)).toEqual(["core/tokens/other-app"]);
  });
});
