/** What is wrong with a configuration. */
export interface ConfigProblem {
  /** Path of the field in proto names, for instance `apps[0].namespaces[2].name`, or the name of an environment variable. */
  field: string;
  /** What is wrong, in a sentence without the field's name. */
  problem: string;
  /** What to do about it, as an imperative sentence. Empty where `problem` says it. */
  remedy: string;
}

/** Where a configuration has its problem. */
export interface ConfigErrorOptions extends ErrorOptions {
  /** Line of the text, counted from 1. */
  line?: number | undefined;
  /** The environment variable that set the field. */
  variable?: string | undefined;
}

/** A configuration that the server does not start with. The message names the field, what is wrong and what to do. */
export class ConfigError extends Error implements ConfigProblem {
  override readonly name = "ConfigError";
  readonly field: string;
  readonly problem: string;
  readonly remedy: string;
  /** Line of the text, counted from 1; undefined where it is not known. */
  readonly line: number | undefined;

  /** The environment variable that set the field; undefined if none did. */
  readonly variable: string | undefined;

  constructor(problem: ConfigProblem, options: ConfigErrorOptions = {}) {
    super(sentence(problem, options), options);
    this.field = problem.field;
    this.problem = problem.problem;
    this.remedy = problem.remedy;
    this.line = options.line;
    this.variable = options.variable;
  }
}

function sentence({ field, problem, remedy }: ConfigProblem, { line, variable }: ConfigErrorOptions): string {
  const where = line === undefined ? "" : `line ${line}: `;
  const subject = variable === undefined ? field : `${field} (${variable})`;
  return `${where}${subject}${subject === "" ? "" : " "}${problem}${remedy === "" ? "" : `: ${remedy}`}`;
}
