import { CaseStatus, Profile } from "@fanfare/proto/conformance/v1alpha";
import { afterAll, describe, expect, it } from "vitest";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { AdapterPool } from "../client-mode/adapter-pool.ts";
import type { Mutant } from "../mutants/mutants.ts";
import { openReference } from "../mutants/reference-environment.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { runPairSuite } from "./run-pair-suite.ts";

const suites = loadSuites(readRequirements());
const pool = new AdapterPool(
  `${process.execPath} --conditions=@fanfare/source conformance/src/adapters/node-sdk/main.ts`,
);
afterAll(() => pool[Symbol.asyncDispose]());

async function play(cases: string[], mutants: Mutant[] = [], less: Partial<ServerEnvironment> = {}) {
  await using environment = { ...(await openReference(new Set(mutants))), ...less };
  const pair = { client: "node-sdk", open: pool.open.bind(pool), environment: { ...environment, patienceMs: 3_000 } };
  return await runPairSuite(suites, pair, { selection: { cases } });
}

describe("runPairSuite", { timeout: 60_000 }, () => {
  it("plays a client with a server, and names both", async () => {
    const { implementation, peer, results } = await play(["pair/core/exchange", "pair/lifecycle/hand-over"]);
    expect([implementation, peer]).toEqual(["node-sdk", "reference-server"]);
    expect(results.map(({ status, message }) => [status, message])).toEqual([
      [CaseStatus.PASS, ""],
      [CaseStatus.PASS, ""],
    ]);
  });

  it("calls unsupported what the server does not offer", async () => {
    const { results } = await play(["pair/groups/membership"], [], { profiles: new Set([Profile.CORE]) });
    expect(results[0]).toMatchObject({ status: CaseStatus.UNSUPPORTED });
    expect(results[0]?.message).toMatch(/^of the server, /);
  });

  it("fails what the clients' reports show, with the frames of both sides", async () => {
    const { results } = await play(["pair/core/player-and-broadcast"], ["offline-as-delivered"]);
    expect(results[0]).toMatchObject({ status: CaseStatus.FAIL });
    expect(results[0]?.trace.map(({ actor }) => actor)).toEqual(expect.arrayContaining(["ada", "ada 1", "bob 1"]));
  });

  it("holds both sides to the rules of every connection", async () => {
    const { results } = await play(["pair/core/exchange"], ["welcome-lacks-window"]);
    expect(results[0]).toMatchObject({ status: CaseStatus.FAIL, brokenSpec: "FF-HS-013" });
  });
});
