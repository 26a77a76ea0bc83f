import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.ts";

/** A pair of marks in Markdown, with what stands between them: `<!-- snippet: path -->` to `<!-- /snippet -->`. */
const snippet = /(<!-- snippet: (\S+) -->\n)[\s\S]*?(<!-- \/snippet -->)/g;

/** The Markdown with every snippet's text replaced by the file it names, in a fence of its language. */
export function withSnippets(markdown: string, readSource: (path: string) => string): string {
  return markdown.replace(snippet, (_, open: string, path: string, close: string) => {
    const language = path.slice(path.lastIndexOf(".") + 1);
    return `${open}\`\`\`${language}\n${readSource(path).trimEnd()}\n\`\`\`\n${close}`;
  });
}

if (import.meta.main) {
  const readmeFile = join(root, "README.md");
  const readme = readFileSync(readmeFile, "utf8");
  const written = withSnippets(readme, (path) => readFileSync(join(root, path), "utf8"));
  if (written === readme) console.log("README.md shows the examples as they are");
  else if (process.argv.includes("--check")) {
    console.error("README.md does not show examples/readme as it is");
    process.exitCode = 1;
  } else {
    writeFileSync(readmeFile, written);
    console.log("Wrote the examples into README.md");
  }
}
