import { describe, expect, it } from "vitest";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { runMutants } from "./run-mutants.ts";

const requirements = readRequirements();

describe("mutants", () => {
  it("break requirements that bind a server", () => {
    for (const spec of Object.values(mutants)) {
      expect(["server", "both"], spec).toContain(requirements.get(spec)?.binds);
    }
  });

  // A few that need no waiting; `npm run conformance:mutants` runs all of them.
  it.each([
    "welcome-lacks-window",
    "origin-unchecked",
    "repeats-delivered",
    "exclude-self-ignored",
    "stale-attempt-accepted",
    "no-handed-over",
    "enums-as-names",
  ] satisfies Mutant[])("%s is caught", async (mutant) => {
    const [verdict] = await runMutants(loadSuites(requirements), [mutant]);
    expect(verdict?.caughtBy).toBeDefined();
  });
});
