import { type ParseArgsConfig, parseArgs } from "node:util";

/** What a whole number may be. */
interface Bounds {
  /** Default: 1. */
  readonly min?: number;
  /** Default: the largest number that is exact, 2^53 - 1. */
  readonly max?: number;
}

/**
 * One option of a script. A `boolean` is false where it is not given, everything else undefined unless it has a default. A `number` is a
 * whole one within its bounds, `numbers` are several of them with commas between.
 */
export type ScriptOption =
  | { readonly type: "boolean" }
  | { readonly type: "string"; readonly default?: string; readonly multiple?: boolean }
  | (Bounds & { readonly type: "number"; readonly default?: number })
  | (Bounds & { readonly type: "numbers"; readonly default?: readonly number[] });

type Given<Option extends ScriptOption> = Option extends { type: "boolean" }
  ? boolean
  : Option extends { type: "number" }
    ? number
    : Option extends { type: "numbers" }
      ? readonly number[]
      : Option extends { multiple: true }
        ? string[]
        : string;

/** The values of options, by their names. */
export type ScriptValues<Options extends Readonly<Record<string, ScriptOption>>> = {
  readonly [Name in keyof Options]:
    | Given<Options[Name]>
    | (Options[Name] extends { type: "boolean" } | { default: unknown } ? never : undefined);
};

/** A command line that cannot be used. Its message is a sentence. */
export class ScriptUsageError extends Error {
  override readonly name = "ScriptUsageError";
}

/**
 * Reads the options of a script. With `--help` it prints the text and exits with 0; at a wrong option it says which and exits with 2.
 * @param help what the script does, its options and examples
 */
export function scriptOptions<const Options extends Readonly<Record<string, ScriptOption>>>(
  help: string,
  options: Options,
): ScriptValues<Options> {
  return begin(help, () => readScriptOptions(options, process.argv.slice(2)).values);
}

/** As {@link scriptOptions}, for a script that takes names besides. */
export function scriptArguments<const Options extends Readonly<Record<string, ScriptOption>>>(
  help: string,
  options: Options,
): { readonly values: ScriptValues<Options>; readonly positionals: readonly string[] } {
  return begin(help, () => readScriptOptions(options, process.argv.slice(2), true));
}

/** Says in a sentence what is wrong with the command line, and exits with 2. */
export function refuseUsage(sentence: string): never {
  console.error(`${sentence}\nRun it with --help for what it takes.`);
  process.exit(2);
}

/** What it gives; where it throws a {@link ScriptUsageError}, says so as {@link refuseUsage} does. */
export function orRefuseUsage<Read>(read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (error instanceof ScriptUsageError) refuseUsage(error.message);
    throw error;
  }
}

/** What shells give for a program that was ended by SIGPIPE. */
const endedByPipe = 141;

function begin<Read>(help: string, read: () => Read): Read {
  // Whoever reads the output may stop early, as `head` does. That changes no verdict; without one yet, it ends as SIGPIPE would end it.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? (process.exitCode ?? endedByPipe) : 1);
  });
  if (process.argv.includes("--help")) {
    console.log(help);
    process.exit(0);
  }
  return orRefuseUsage(read);
}

/** Reads a command line. @throws ScriptUsageError */
export function readScriptOptions<const Options extends Readonly<Record<string, ScriptOption>>>(
  options: Options,
  args: readonly string[],
  allowPositionals = false,
): { readonly values: ScriptValues<Options>; readonly positionals: readonly string[] } {
  const { values, positionals } = parsed(options, args, allowPositionals);
  const read = Object.entries(options).map(([name, option]) => [name, readValue(name, option, values[name])]);
  return { values: Object.fromEntries(read) as ScriptValues<Options>, positionals };
}

function parsed(options: Readonly<Record<string, ScriptOption>>, args: readonly string[], allowPositionals: boolean) {
  const plain: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [name, option] of Object.entries(options)) {
    const multiple = option.type === "string" && option.multiple === true;
    plain[name] = { type: option.type === "boolean" ? "boolean" : "string", multiple };
  }
  try {
    return parseArgs({ args: [...args], options: plain, allowPositionals });
  } catch (cause) {
    throw new ScriptUsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readValue(name: string, option: ScriptOption, text: unknown): unknown {
  if (option.type === "boolean") return text === true;
  // A default may come from the environment, and is held to the bounds as well.
  const given = text ?? option.default;
  if (given === undefined || option.type === "string") return given;
  return option.type === "number"
    ? wholeNumber(name, option, String(given))
    : String(given)
        .split(",")
        .map((one) => wholeNumber(name, option, one));
}

function wholeNumber(name: string, { min = 1, max = Number.MAX_SAFE_INTEGER }: Bounds, text: string): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  throw new ScriptUsageError(`--${name} takes whole numbers ${range}, and not "${text}".`);
}
