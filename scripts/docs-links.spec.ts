import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./packages.ts";

const pages = [
  "README.md",
  "PROTOCOL.md",
  ...readdirSync(join(root, "docs/decisions")).map((name) => `decisions/${name}`),
  ...readdirSync(join(root, "docs/guide")).map((name) => `guide/${name}`),
];

it.each(pages)("docs/%s links only to files that exist", (page) => {
  const path = join(root, "docs", page);
  const text = readFileSync(path, "utf8").replace(/```[\s\S]*?```|`[^`\n]*`/g, "");
  for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (!/^[a-z]+:/.test(target)) expect(existsSync(join(dirname(path), target)), `${page}: ${target}`).toBe(true);
  }
});

it("lists every decision in the index", () => {
  const index = readFileSync(join(root, "docs/README.md"), "utf8");
  for (const name of readdirSync(join(root, "docs/decisions"))) expect(index).toContain(`(decisions/${name})`);
});
