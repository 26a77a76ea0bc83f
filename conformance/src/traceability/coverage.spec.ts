import { create } from "@bufbuild/protobuf";
import { CaseSchema, Subject } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import type { Requirement } from "../cases/requirements.ts";
import { type CoverageSources, listProblems, traceRequirements } from "./coverage.ts";
import { gateProblems } from "./gate.ts";
import { countMusts, traceabilityPage } from "./table.ts";

function requirement(id: string, level: Requirement["level"], binds: Requirement["binds"]): [string, Requirement] {
  return [id, { id, level, binds, section: "1", text: "" }];
}

const sources: CoverageSources = {
  requirements: new Map([
    requirement("FF-A-001", "MUST", "both"),
    requirement("FF-A-002", "MUST", "server"),
    requirement("FF-A-003", "MUST NOT", "server"),
    requirement("FF-A-004", "SHOULD", "server"),
    requirement("FF-A-005", "MUST NOT", "client"),
  ]),
  cases: [create(CaseSchema, { id: "core/a/one", subject: Subject.SERVER, specs: ["FF-A-001"] })],
  watched: { server: ["FF-A-002"], client: [] },
  untestable: { server: [{ id: "FF-A-003", reason: "it shows in no frame" }], client: [] },
};

describe("coverage", () => {
  const traced = traceRequirements(sources);

  it("says of each side whether a case, the watcher or nothing proves a requirement", () => {
    const kinds = traced.map(({ requirement: { id }, side, coverage }) => `${id} ${side} ${coverage.kind}`);
    expect(kinds).toEqual([
      "FF-A-001 server tested",
      "FF-A-001 client pending",
      "FF-A-002 server tested",
      "FF-A-003 server untestable",
      "FF-A-004 server pending",
      "FF-A-005 client pending",
    ]);
    expect(countMusts(traced, "server")).toEqual({ tested: 2, untestable: 1, pending: 0 });
  });

  it("names in its page the cases, and the reason where there is none", () => {
    const page = traceabilityPage(traced);
    expect(page).toContain("| FF-A-001 | MUST | `core/a/one` |");
    expect(page).toContain("| FF-A-002 | MUST | on every connection |");
    expect(page).toContain("| FF-A-003 | MUST NOT | untestable: it shows in no frame |");
  });

  it("lets no MUST pass that is neither tested nor untestable", () => {
    expect(gateProblems(traced, ["server"])).toEqual([]);
    const problems = gateProblems(traced, ["server", "client"]);
    expect(problems.map((one) => one.slice(0, 8))).toEqual(["FF-A-001", "FF-A-005"]);
  });

  it("finds fault with a list that calls untestable what is tested, unknown, or has no reason", () => {
    const untestable = {
      server: [
        { id: "FF-A-001", reason: "hard" },
        { id: "FF-A-009", reason: "gone" },
        { id: "FF-A-003", reason: "" },
      ],
      client: [],
    };
    const wrong = { ...sources, untestable };
    expect(listProblems(traceRequirements(wrong), wrong)).toEqual([
      "untestable.yaml: FF-A-001 is tested for the server",
      "untestable.yaml: FF-A-009 binds no server",
      "untestable.yaml: FF-A-003 has no reason",
    ]);
  });
});
