import { type ParseArgsConfig, parseArgs } from "node:util";

/**
 * Reads the options of a script. With `--help` it prints the text and exits with 0; at a wrong option it says which and exits with 2.
 * @param help what the script does, its options and examples
 */
export function scriptOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  help: string,
  options: Options,
) {
  return scriptArguments(help, options, false).values;
}

/** As {@link scriptOptions}, for a script that takes names besides. */
export function scriptArguments<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  help: string,
  options: Options,
  allowPositionals = true,
) {
  if (process.argv.includes("--help")) {
    console.log(help);
    process.exit(0);
  }
  try {
    return parseArgs({ options, allowPositionals });
  } catch (reason) {
    console.error(`${reason instanceof Error ? reason.message : reason}\n\n${help}`);
    process.exit(2);
  }
}
