import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary, fromJsonString, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { validatorFor } from "@fanfare/proto/validate";
import { describe, expect, it } from "vitest";
import { root } from "./packages.ts";
import { exampleSchemas, fillExamples, protocolExamples } from "./protocol-examples.ts";

describe("the worked examples of docs/PROTOCOL.md", () => {
  const text = readFileSync(join(root, "docs/PROTOCOL.md"), "utf8");
  const examples = protocolExamples(text);

  it("are annotated as they would be now", () => {
    expect(fillExamples(text)).toBe(text);
  });

  it("cover both directions", () => {
    expect(new Set(examples.map(({ type }) => type)).size).toBe(2);
    expect(examples.length).toBeGreaterThanOrEqual(8);
  });

  it.each(examples)("line $line: the $type in hex is the one in JSON", ({ type, json, bytes }) => {
    const schema = exampleSchemas[type];
    const fromHex = fromBinary(schema, bytes);
    expect(unknownFieldsIn(fromHex)).toBe(0);
    // Parsing refuses unknown names; comparing what it prints refuses names and forms that are not the canonical ones.
    fromJsonString(schema, json);
    expect(toJson(schema, fromHex, { enumAsInteger: true })).toEqual(JSON.parse(json));
    expect(Buffer.from(toBinary(schema, fromHex)).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
  });

  it.each(examples)("line $line: keeps the bounds", ({ type, bytes }) => {
    const schema = exampleSchemas[type];
    expect(validatorFor(schema)(fromBinary<typeof schema>(schema, bytes))).toBeUndefined();
  });
});

describe("protocolExamples", () => {
  it("refuses a block without its counterpart", () => {
    expect(() => protocolExamples("```json ClientFrames\n{}\n```\n")).toThrow("line 1: expected a json block");
    expect(() => protocolExamples("```json ClientFrames\n{}\n```\n```hex ServerFrames\n00\n```\n")).toThrow(
      "same type",
    );
  });

  it("reads hex with comments and refuses anything else", () => {
    const [example] = protocolExamples(
      "```json ClientFrames\n{}\n```\n```hex ClientFrames\n0a 00 # one frame, ff\n```\n",
    );
    expect([...(example?.bytes ?? [])]).toEqual([0x0a, 0x00]);
    expect(() => protocolExamples("```json ClientFrames\n{}\n```\n```hex ClientFrames\n0a 0\n```\n")).toThrow(
      "not hex",
    );
  });
});

describe("fillExamples", () => {
  it("makes the hex from the JSON, a field a line", () => {
    const json = '{"frames":[{"id":7,"ping":{"sentAtUs":"300"}}]}';
    const filled = fillExamples(`\`\`\`json ClientFrames\n${json}\n\`\`\`\n\`\`\`hex ClientFrames\n\`\`\`\n`);
    expect(filled).toContain("0a 07        # frames: 7 bytes\n  08 07      # id: 7\n");
    expect(filled).toContain('    08 ac 02 # sent_at_us: "300"\n');
  });
});

/** How many fields, at any depth, the schema does not know. */
function unknownFieldsIn(value: unknown): number {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return 0;
  const own = (value as Message).$unknown?.length ?? 0;
  const inner = Object.entries(value).filter(([key]) => key !== "$unknown");
  return own + inner.reduce((sum, [, child]) => sum + unknownFieldsIn(child), 0);
}
