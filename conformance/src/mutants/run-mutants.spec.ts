import { Subject } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { runMutants } from "./run-mutants.ts";

const requirements = readRequirements();
const all = loadSuites(requirements);

describe("mutants of the server", () => {
  it("break requirements that bind a server", () => {
    for (const spec of Object.values(mutants)) {
      expect(["server", "both"], spec).toContain(requirements.get(spec)?.binds);
    }
  });

  it("are there for every MUST of a server that has cases of its own", () => {
    const broken = new Set<string>(Object.values(mutants));
    const ofServers = all.filter(({ definition }) => definition.subject === Subject.SERVER);
    const cited = new Set(ofServers.flatMap(({ definition }) => definition.specs));
    const lacking = [...cited].filter((spec) => requirements.get(spec)?.level.startsWith("MUST") && !broken.has(spec));
    expect(lacking).toEqual([]);
  });

  // A few that need no waiting; `npm run conformance:mutants` runs all of them.
  it.each([
    "welcome-lacks-window",
    "origin-unchecked",
    "repeats-delivered",
    "stale-attempt-accepted",
    "no-handed-over",
    "enums-as-names",
    "previous-tag-wrong",
    "caught-up-early",
    "history-backwards",
  ] satisfies Mutant[])("%s is caught", { timeout: 60_000 }, async (mutant) => {
    const [verdict] = await runMutants(all, [mutant]);
    expect(verdict?.caughtBy).toBeDefined();
  });
});
