import { describe, expect, it } from "vitest";
import { loadSuites, readSuite } from "./load-suites.ts";
import { readRequirements } from "./requirements.ts";

const requirements = readRequirements();

function problemsOf(text: string): string {
  try {
    readSuite("suite.yaml", text, requirements);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const good = `
title: A suite
profile: CORE
cases:
  - id: core/a-case
    title: Something holds
    specs: [FF-HS-013]
    actors: { ada: {} }
    steps:
      - { on: ada, join: {} }
`;

describe("readSuite", () => {
  it("reads a case and gives it the suite's profile and the level of its specs", () => {
    const [one] = readSuite("suite.yaml", good, requirements);
    expect(one).toMatchObject({ id: "core/a-case", profile: 1, level: 1, subject: 1 });
  });

  it("names the line and the nearest field of a misspelt one", () => {
    expect(problemsOf(good.replace("steps:", "stebs:"))).toContain(
      "suite.yaml:9: cases[0].stebs is no field of Case (did you mean steps?)",
    );
  });

  it("holds frames against their definition", () => {
    const send = "- { on: ada, send: { frames: [{ id: 1, publish: { chanel: { group: x }, seq: 1 } }] } }";
    expect(problemsOf(good.replace("- { on: ada, join: {} }", send))).toMatch(
      /suite\.yaml:10: .*publish\.chanel is no field of Publish \(did you mean channel\?\)/,
    );
  });

  it("holds enum values of patterns against their definition", () => {
    const expects = "- { on: ada, expect: { frames: [{ error: { code: MALFORMD } }] } }";
    expect(problemsOf(good.replace("- { on: ada, join: {} }", expects))).toContain("did you mean MALFORMED?");
  });

  it("refuses a matcher where a value is sent", () => {
    const send = "- { on: ada, send: { frames: [{ id: { $min: 1 }, ping: {} }] } }";
    expect(problemsOf(good.replace("- { on: ada, join: {} }", send))).toContain("is a matcher, and this is no pattern");
  });

  it("refuses an unknown requirement, and one that binds a client", () => {
    expect(problemsOf(good.replace("FF-HS-013", "FF-HS-999"))).toContain("is FF-HS-999, no requirement");
    expect(problemsOf(good.replace("FF-HS-013", "FF-HS-001"))).toContain("binds a client");
  });

  it("refuses a case that cannot fail", () => {
    expect(problemsOf(good.replace("join: {}", "open: {}"))).toContain("such a case cannot fail");
  });

  it("refuses an actor, a label and a placeholder that nothing defines", () => {
    expect(problemsOf(good.replace("on: ada", "on: adda"))).toContain("no actor of this case (did you mean ada?)");
    expect(problemsOf(good.replace("join: {}", "order: { labels: [first] }"))).toContain("names first");
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the suites
    const join = 'join: { hello: { token: "${tokens.ada}" } }';
    expect(problemsOf(good.replace("join: {}", join))).toContain("tokens.ada}, which nothing before it defines");
  });

  it("refuses two actions in one step", () => {
    expect(problemsOf(good.replace("join: {}", "join: {}, cut: {}"))).toContain("stands beside join");
  });

  it("refuses what is no YAML, with its line", () => {
    expect(problemsOf("title: [")).toMatch(/^suite\.yaml:\d+: /);
  });
});

describe("loadSuites", () => {
  it("reads every suite that comes with the runner", () => {
    const all = loadSuites(requirements);
    expect(all.length).toBeGreaterThan(0);
    expect(new Set(all.map(({ definition }) => definition.id)).size).toBe(all.length);
  });
});
