import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./packages.ts";
import { loadProtoDescriptors } from "./proto-descriptors.ts";
import { fillTables, protocolTables } from "./protocol-tables.ts";

const protos = loadProtoDescriptors();
const sections = Object.keys(protocolTables).map((name) => `<!-- generated:${name} -->\nold\n<!-- /generated -->`);

describe("fillTables", () => {
  it("replaces what stands between the markers, and nothing else", () => {
    const filled = fillTables(`before\n${sections.join("\nbetween\n")}\nafter`, protos);
    expect(filled).not.toMatch(/^old$/m);
    expect(filled.startsWith("before\n<!-- generated:")).toBe(true);
    expect(filled.match(/^between$/gm)).toHaveLength(sections.length - 1);
    expect(fillTables(filled, protos)).toBe(filled);
  });

  it("fails on an unknown table and on one that is left out", () => {
    expect(() => fillTables("<!-- generated:nothing -->\n<!-- /generated -->", protos)).toThrow(
      "no table named nothing",
    );
    expect(() => fillTables(sections.slice(1).join("\n"), protos)).toThrow("no section for error-codes");
  });
});

describe("the tables", () => {
  const table = (name: string) => protocolTables[name]?.(protos) ?? "";

  it("say what a client does after a close", () => {
    expect(table("close-codes")).toMatch(/^\| 4100 \| `SLOW_CONSUMER` \| back off \| 500 ms \| {2}\| /m);
    expect(table("close-codes")).toMatch(/^\| 4203 \| `SESSION_LOST` \| soon \| {2}\| ends \| /m);
    expect(table("standard-codes")).toMatch(/^\| 1009 \| .* \| never \| {2}\|$/m);
    expect(table("http-statuses")).toMatch(/^\| 503 \| Unavailable \| back off \| 1000 ms \|$/m);
  });

  it("list what belongs to a feature", () => {
    expect(table("features")).toMatch(
      /^\| `presence` \| `presence`, `presence_update` \| `presence_event` \| .*`Subscribe.presence`/m,
    );
  });

  it("are those of docs/PROTOCOL.md", () => {
    const text = readFileSync(join(root, "docs/PROTOCOL.md"), "utf8");
    expect(fillTables(text, protos)).toBe(text);
  });
});
