import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./packages.ts";
import { extractRequirements, requirementsYaml } from "./requirements.ts";

const problemsOf = (text: string) => extractRequirements(text).problems;

describe("extractRequirements", () => {
  it("finds id, level, who is bound, section and text, over lines and several in a block", () => {
    const text =
      "## 7. Heartbeat\n\nSilence is a sign.\n\n- [FF-HB-001 server] A server MUST NOT\n  sleep. Ever. [FF-HB-002 both] A side MAY ping.\n";
    expect(extractRequirements(text)).toEqual({
      requirements: [
        {
          id: "FF-HB-001",
          level: "MUST NOT",
          binds: "server",
          section: "7. Heartbeat",
          text: "A server MUST NOT sleep. Ever.",
        },
        { id: "FF-HB-002", level: "MAY", binds: "both", section: "7. Heartbeat", text: "A side MAY ping." },
      ],
      problems: [],
    });
  });

  it("fails on an id that is used twice", () => {
    expect(problemsOf("[FF-A-001 client] It MUST a.\n\n[FF-A-001 client] It MUST b.")).toEqual([
      "line 3: FF-A-001 is already used in line 1",
    ]);
  });

  it("fails on a word without an id, and before the first id of its block", () => {
    expect(problemsOf("A client SHOULD rest.")).toEqual(["line 1: SHOULD without an id"]);
    expect(problemsOf("It MAY. [FF-A-001 client] It MUST.")).toEqual(["line 1: MAY without an id"]);
  });

  it("fails on an id without a word, and on one with two", () => {
    expect(problemsOf("[FF-A-001 client] It does.")).toEqual(["line 1: FF-A-001 has no RFC 2119 word"]);
    expect(problemsOf("[FF-A-001 client] It MUST and SHOULD.")).toEqual([
      "line 1: FF-A-001 has more than one RFC 2119 word",
    ]);
  });

  it("fails on synonyms and on tags that are not whole", () => {
    expect(problemsOf("[FF-A-001 client] It SHALL.")).toHaveLength(1);
    expect(problemsOf("[FF-A-1 client] It rests.")).toContain("line 1: [FF-A-1 client] is not a tag");
    expect(problemsOf("[FF-A-001] It rests.")).toContain("line 1: [FF-A-001] is not a tag");
    expect(problemsOf("[FF-A-001 peer] It rests.")).toContain("line 1: [FF-A-001 peer] is not a tag");
  });

  it("fails on a reference to an id that does not exist", () => {
    expect(problemsOf("See FF-A-002.\n\n[FF-A-001 client] It MUST, as FF-A-001 says.")).toEqual([
      "line 1: FF-A-002 does not exist",
    ]);
  });

  it("does not look into code, code spans and generated tables", () => {
    const text =
      "Say `MUST` and `[FF-A-001 client]`.\n\n```text\nMUST\n```\n<!-- generated:x -->\n\nMUST\n\n<!-- /generated -->\n\nIt must.";
    expect(extractRequirements(text)).toEqual({ requirements: [], problems: [] });
  });
});

describe("docs/PROTOCOL.md", () => {
  const { requirements, problems } = extractRequirements(readFileSync(join(root, "docs/PROTOCOL.md"), "utf8"));

  it("keeps the rules of its ids", () => {
    expect(problems).toEqual([]);
    expect(requirements.length).toBeGreaterThan(150);
  });

  it("numbers each group of ids without holes, in the order of the text", () => {
    const next = new Map<string, number>();
    for (const { id } of requirements) {
      const [, group = "", number = ""] = id.split("-");
      const expected = (next.get(group) ?? 0) + 1;
      expect(Number(number), id).toBe(expected);
      next.set(group, expected);
    }
  });

  it("is what conformance/requirements/v1.yaml was made from", () => {
    const committed = readFileSync(join(root, "conformance/requirements/v1.yaml"), "utf8");
    expect(committed).toBe(requirementsYaml(requirements));
  });
});
