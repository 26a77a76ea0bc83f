import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { type LoadedCase, loadSuites, readSuite } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { runClientSuite } from "./run-client-suite.ts";

const requirements = readRequirements();
const nodeSdk = `${process.execPath} --conditions=@fanfare/source conformance/src/adapters/node-sdk/main.ts`;

async function run(adapter: string, cases: string[]) {
  const { results } = await runClientSuite(
    loadSuites(requirements),
    { adapter, patienceMs: 5_000 },
    { selection: { cases } },
  );
  return results;
}

describe("runClientSuite", () => {
  it("passes the Node SDK's handshake, resume and move", async () => {
    const results = await run(nodeSdk, [
      "client/core/connects",
      "client/resume/unanswered-publish",
      "client/move/hand-over",
    ]);
    expect(results.map(({ status, message }) => [status, message])).toEqual([
      [CaseStatus.PASS, ""],
      [CaseStatus.PASS, ""],
      [CaseStatus.PASS, ""],
    ]);
  });

  it("fails a case whose expectation the client does not meet, with the trace of both sides", async () => {
    const text = `
title: Test
subject: CLIENT
profile: CORE
cases:
  - id: client/test/one
    title: A client that says something else
    specs: [FF-HS-001]
    actors: { a: {} }
    steps:
      - { command: { do: { connect: { url: "\${url}", tokens: [token-1] } } } }
      - { on: a, accept: { hello: { token: another } } }`;
    const cases: LoadedCase[] = readSuite("t.yaml", text, requirements).map((definition) => ({ definition, file: "" }));
    const { results } = await runClientSuite(cases, { adapter: nodeSdk, patienceMs: 5_000 });
    expect(results[0]).toMatchObject({ status: CaseStatus.FAIL, step: 2 });
    expect(results[0]?.message).toMatch(/^hello\.token is "token-1", and has to be "another"/);
    expect(results[0]?.trace.map(({ actor }) => actor)).toEqual(expect.arrayContaining(["client", "a"]));
  });

  it.each([
    ["ends at once", "exit 3", "the adapter ended with 3"],
    ["writes something else", "echo this is no report; cat", "is something else written to the stream?"],
  ])("calls an adapter that %s a harness error", async (_, adapter, message) => {
    const [result] = await run(adapter, ["client/core/connects"]);
    expect(result?.status).toBe(CaseStatus.HARNESS_ERROR);
    expect(result?.message).toContain(message);
  });
});
