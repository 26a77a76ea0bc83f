import { describe, expect, it } from "vitest";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { type ClientMutant, clientMutants } from "./client-mutants.ts";
import { runClientMutants, unknownCases } from "./run-client-mutants.ts";

const requirements = readRequirements();
const all = loadSuites(requirements);

describe("mutants of the client", () => {
  it("break requirements that bind a client, and name cases that are about them", () => {
    expect(unknownCases(all)).toEqual([]);
    for (const [mutant, { spec }] of Object.entries(clientMutants)) {
      expect(["client", "both"], `${mutant} ${spec}`).toContain(requirements.get(spec)?.binds);
    }
  });

  // A few that need no waiting; `npm run conformance:mutants` runs all of them.
  it.each([
    "ids-used-twice",
    "repeats-delivered",
    "attempt-not-raised",
    "holes-taken",
    "any-leave-removes",
    "json-numbers-not-strings",
    "never-is-back-off",
  ] satisfies ClientMutant[])("%s is caught", async (mutant) => {
    const [verdict] = await runClientMutants(all, [mutant]);
    expect(verdict?.caughtBy).toBeDefined();
  });

  it("are there for every MUST of a client that has cases of its own", () => {
    const broken = new Set<string>(Object.values(clientMutants).map(({ spec }) => spec));
    const cited = new Set(all.flatMap(({ definition }) => (definition.subject === 2 ? definition.specs : [])));
    const lacking = [...cited].filter((spec) => requirements.get(spec)?.level.startsWith("MUST") && !broken.has(spec));
    expect(lacking).toEqual([]);
  });
});
