import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeOrCheck } from "./generated-file.ts";
import { root } from "./packages.ts";

/** One obligation of docs/PROTOCOL.md. */
export interface Requirement {
  /** For instance `FF-HB-003`. Never given to another obligation. */
  id: string;
  level: "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY";
  binds: "client" | "server" | "both";
  /** The heading it stands under, with its number. */
  section: string;
  text: string;
}

/** What was found, and what is wrong with the text: for a human, each with its line. */
export interface Extraction {
  requirements: Requirement[];
  problems: string[];
}

const tag = /(?<!`)\[(FF-[A-Z]+-\d{3}) (client|server|both)\]/g;
const brokenTag = /(?<!`)\[FF-[^\]]*\]?/;
const reference = /\bFF-[A-Z]+-\d+\b/g;
const keyword = /\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|MAY|REQUIRED|RECOMMENDED|OPTIONAL)\b/g;
const levels: readonly string[] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];

/**
 * Reads the obligations out of the protocol text. Each begins with its tag, `[FF-HB-003 server]`, and reaches to the next tag or the
 * end of the paragraph, list item or table row; it holds exactly one RFC 2119 word, and no such word stands outside of one. An id
 * anywhere else refers to an obligation that has to exist. Code blocks, code spans and generated tables are not looked at.
 */
export function extractRequirements(markdown: string): Extraction {
  const requirements: Requirement[] = [];
  const problems: string[] = [];
  const lines = new Map<string, number>();
  const references: { id: string; line: number }[] = [];
  for (const { text, section, line } of blocksOf(markdown)) {
    const [before = "", ...tagged] = text.split(tag);
    for (const word of keywordsIn(before)) problems.push(`line ${line}: ${word} without an id`);
    for (let i = 0; i < tagged.length; i += 3) {
      const [id = "", binds = "", body = ""] = tagged.slice(i, i + 3);
      const earlier = lines.get(id);
      if (earlier !== undefined) problems.push(`line ${line}: ${id} is already used in line ${earlier}`);
      lines.set(id, line);
      const [level, ...more] = keywordsIn(body);
      if (level === undefined) problems.push(`line ${line}: ${id} has no RFC 2119 word`);
      else if (more.length > 0) problems.push(`line ${line}: ${id} has more than one RFC 2119 word`);
      else if (!levels.includes(level)) problems.push(`line ${line}: ${id} says ${level}; use ${levels.join(", ")}`);
      else requirements.push({ id, level, binds, section, text: body.trim() } as Requirement);
    }
    const broken = text.replace(tag, "").match(brokenTag);
    if (broken !== null) problems.push(`line ${line}: ${broken[0]} is not a tag`);
    for (const [id] of text.replace(/`[^`]*`/g, "").matchAll(reference)) references.push({ id, line });
  }
  for (const { id, line } of references) {
    if (!lines.has(id)) problems.push(`line ${line}: ${id} does not exist`);
  }
  return { requirements, problems };
}

function keywordsIn(text: string): string[] {
  return [...text.replace(/`[^`]*`/g, "").matchAll(keyword)].map((match) => match[0]);
}

interface Block {
  text: string;
  section: string;
  /** Of its first line, from 1. */
  line: number;
}

/** Paragraphs, list items and table rows, each on one line, with the heading above. */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let section = "";
  let open: Block | undefined;
  let skipUntil: RegExp | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const text = line.trim();
    if (skipUntil !== undefined) {
      if (skipUntil.test(text)) skipUntil = undefined;
      continue;
    }
    const heading = /^#+ (.*)$/.exec(text);
    if (text.startsWith("```")) skipUntil = /^```$/;
    if (text.startsWith("<!-- generated:")) skipUntil = /^<!-- \/generated -->$/;
    if (heading !== null) section = heading[1] ?? "";
    if (text === "" || heading !== null || skipUntil !== undefined) {
      open = undefined;
    } else if (open === undefined || /^([-*|]|\d+\.) ?/.test(text)) {
      open = { text: text.replace(/^([-*]|\d+\.) /, ""), section, line: index + 1 };
      blocks.push(open);
    } else {
      open.text += ` ${text}`;
    }
  }
  return blocks;
}

/** The requirements as YAML, in the order of the text. */
export function requirementsYaml(requirements: readonly Requirement[]): string {
  const entries = requirements.map(({ id, level, binds, section, text }) =>
    [
      `  - id: ${id}`,
      `    level: ${level}`,
      `    binds: ${binds}`,
      `    section: ${JSON.stringify(section)}`,
      `    text: ${JSON.stringify(text)}`,
    ].join("\n"),
  );
  const head =
    "# Made by scripts/requirements.ts from docs/PROTOCOL.md. Do not edit.\nprotocol: fanfare.v1\nrevision: 1";
  return `${head}\nrequirements:\n${entries.join("\n")}\n`;
}

if (import.meta.main) {
  const { requirements, problems } = extractRequirements(readFileSync(join(root, "docs/PROTOCOL.md"), "utf8"));
  for (const problem of problems) console.error(`docs/PROTOCOL.md: ${problem}`);
  if (problems.length > 0) {
    process.exitCode = 1;
  } else {
    const content = requirementsYaml(requirements);
    writeOrCheck([{ path: "conformance/requirements/v1.yaml", content }], "node scripts/requirements.ts");
    console.log(`${requirements.length} requirements`);
  }
}
