import { KnownFailingSchema, type KnownFailure } from "@fanfare/proto/conformance/v1alpha";
import { readGivenFile } from "../cases/given-file.ts";
import { suggestion } from "../cases/nearest-name.ts";
import { readYamlMessage } from "../cases/yaml-message.ts";
import { FileError, YamlSource } from "../cases/yaml-source.ts";

/** Cases that are known to fail. */
export class KnownFailures {
  readonly #entries: readonly KnownFailure[];

  constructor(entries: readonly KnownFailure[]) {
    this.#entries = entries;
  }

  /** @throws FileError when the file cannot be read, or an entry has no reason */
  static read(file: string): KnownFailures {
    const source = new YamlSource(file, readGivenFile(file));
    const { cases } = readYamlMessage(KnownFailingSchema, source);
    const problems = cases.flatMap(({ reason }, i) =>
      reason === "" ? [source.problem(["cases", i], "has no reason")] : [],
    );
    if (problems.length > 0) throw new FileError(problems);
    return new KnownFailures(cases);
  }

  /** Whether a case, given as CaseResult.id, is on the list; an entry without `#json` stands for both forms. */
  has(id: string): boolean {
    return this.#entries.some((entry) => entry.id === id || `${entry.id}#json` === id);
  }

  /** What is wrong with the list itself: names of no case, and cases twice. */
  problems(known: readonly string[]): string[] {
    const ids = this.#entries.map(({ id }) => id);
    const stale = ids
      .filter((id) => !known.includes(id))
      .map((id) => `${id} is known to fail and is no case${suggestion(id, known)}`);
    const twice = ids
      .filter((id, i) => ids.indexOf(id) !== i)
      .map((id) => `${id} is on the list of known failures twice`);
    return [...stale, ...twice];
  }
}
