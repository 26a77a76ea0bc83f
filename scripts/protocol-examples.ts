import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromJsonString, toBinary } from "@bufbuild/protobuf";
import { ClientFramesSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { annotatedHex } from "./annotated-hex.ts";
import { writeOrCheck } from "./generated-file.ts";
import { root } from "./packages.ts";

/** One worked example of docs/PROTOCOL.md: the same message in JSON and in bytes. */
export interface ProtocolExample {
  type: keyof typeof exampleSchemas;
  json: string;
  /** From the hex block; what follows a `#` in a line is a comment. */
  bytes: Uint8Array;
  /** Of the JSON block, from 1. */
  line: number;
}

/** What the tag of an example's block can name. */
export const exampleSchemas = { ClientFrames: ClientFramesSchema, ServerFrames: ServerFramesSchema };

const block = /^```(json|hex) (ClientFrames|ServerFrames)\n([\s\S]*?)^```$/gm;

/**
 * The worked examples of a text: each a block ```` ```json ServerFrames ```` and, as the next block of that kind, a block
 * ```` ```hex ServerFrames ````.
 *
 * @throws if a block has no counterpart of the same type, or holds something else than hex.
 */
export function protocolExamples(markdown: string): ProtocolExample[] {
  const blocks = [...markdown.matchAll(block)].map((match) => ({
    language: match[1],
    type: match[2] as ProtocolExample["type"],
    body: match[3] ?? "",
    line: markdown.slice(0, match.index).split("\n").length,
  }));
  const examples: ProtocolExample[] = [];
  for (let i = 0; i < blocks.length; i += 2) {
    const [json, hex] = [blocks[i], blocks[i + 1]];
    if (json?.language !== "json" || hex?.language !== "hex" || json.type !== hex.type) {
      throw new Error(`line ${json?.line}: expected a json block and then a hex block of the same type`);
    }
    examples.push({ type: json.type, json: json.body, bytes: bytesOf(hex.body, hex.line), line: json.line });
  }
  return examples;
}

/** The text with each example's hex block made from the JSON block before it. */
export function fillExamples(markdown: string): string {
  let json = "{}";
  return markdown.replace(block, (whole, language: string, type: ProtocolExample["type"], body: string) => {
    if (language === "json") {
      json = body;
      return whole;
    }
    const schema = exampleSchemas[type];
    const bytes = toBinary(schema, fromJsonString<typeof schema>(schema, json));
    return `\`\`\`hex ${type}\n${annotatedHex(schema, bytes)}\n\`\`\``;
  });
}

function bytesOf(body: string, line: number): Uint8Array {
  const digits = body.replace(/#.*$/gm, "").replace(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`line ${line}: not hex`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

if (import.meta.main) {
  const path = "docs/PROTOCOL.md";
  const content = fillExamples(readFileSync(join(root, path), "utf8"));
  writeOrCheck([{ path, content }], "node --conditions=@fanfare/source scripts/protocol-examples.ts");
}
