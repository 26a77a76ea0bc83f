import { expect, it } from "vitest";
import { withSnippets } from "./readme-snippets.ts";

it("puts each named file between its marks and leaves the rest alone", () => {
  const sources: Record<string, string> = { "a.ts": "const a = 1;\n", "b.sh": "echo $& $1\n" };
  const before =
    "# T\n<!-- snippet: a.ts -->\nstale\n<!-- /snippet -->\ntext\n<!-- snippet: b.sh -->\n<!-- /snippet -->\n";
  const after =
    "# T\n<!-- snippet: a.ts -->\n```ts\nconst a = 1;\n```\n<!-- /snippet -->\ntext\n" +
    "<!-- snippet: b.sh -->\n```sh\necho $& $1\n```\n<!-- /snippet -->\n";
  const read = (path: string) => sources[path] ?? "";
  expect(withSnippets(before, read)).toBe(after);
  expect(withSnippets(after, read)).toBe(after);
});
