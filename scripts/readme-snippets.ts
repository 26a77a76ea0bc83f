import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeOrCheck } from "./generated-file.ts";
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
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  const pages = ["README.md", "sdk-core/README.md"];
  const files = pages.map((path) => ({ path, content: withSnippets(read(path), read) }));
  writeOrCheck(files, "npm run proto");
}
