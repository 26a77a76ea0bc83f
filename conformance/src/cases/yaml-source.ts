import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

/** Something that is wrong in a file a person wrote. */
export interface FileProblem {
  readonly file: string;
  /** From 1; undefined if it concerns the file as a whole. */
  readonly line?: number;
  /** Path of the field, for instance `cases[3].steps[0].expect`. */
  readonly path: string;
  readonly problem: string;
}

/** A file that cannot be used. Its message has a line for each problem. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly problems: readonly FileProblem[];

  constructor(problems: readonly FileProblem[]) {
    super(problems.map(problemText).join("\n"));
    this.problems = problems;
  }
}

function problemText({ file, line, path, problem }: FileProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return path === "" ? `${place}: ${problem}` : `${place}: ${path} ${problem}`;
}

/** A YAML text with the lines of what stands in it. */
export class YamlSource {
  readonly file: string;
  /** The content as plain values. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  /** @throws FileError when the text is no YAML */
  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true });
    const problems = this.#document.errors.map((error) => ({
      file,
      line: error.linePos?.[0].line ?? 1,
      path: "",
      problem: error.message.split("\n")[0] ?? "is no YAML",
    }));
    if (problems.length > 0) throw new FileError(problems);
    this.value = this.#document.toJS() ?? {};
  }

  /** A problem at a path, with its line or that of the nearest thing around it. */
  problem(path: readonly (string | number)[], problem: string): FileProblem {
    const line = this.#lineOf(path);
    const text = path.reduce<string>(
      (before, part) => (typeof part === "number" ? `${before}[${part}]` : before === "" ? part : `${before}.${part}`),
      "",
    );
    return { file: this.file, path: text, problem, ...(line === undefined ? {} : { line }) };
  }

  #lineOf(path: readonly (string | number)[]): number | undefined {
    let node: unknown = this.#document.contents;
    let offset: number | undefined;
    for (const part of path) {
      if (isSeq(node)) {
        node = node.items[Number(part)];
        offset = rangeStart(node) ?? offset;
      } else if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
        if (pair === undefined) break;
        offset = rangeStart(pair.key) ?? offset;
        node = pair.value;
      } else break;
    }
    return offset === undefined ? undefined : this.#lines.linePos(offset).line;
  }
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | undefined)?.range?.[0];
}
