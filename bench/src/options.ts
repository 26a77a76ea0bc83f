import { parseArgs } from "node:util";
import { firehose } from "./scenarios/firehose.ts";
import { groupFanout } from "./scenarios/group-fanout.ts";
import type { Scenario } from "./scenarios/scenario.ts";

export const scenarios: readonly Scenario[] = [groupFanout, firehose];

export const contenderNames = ["floor", "ws", "fanfare"] as const;
export type ContenderName = (typeof contenderNames)[number];

/** What the command line asks for. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly micro: boolean;
  readonly only: readonly ContenderName[];
  /** Length of a measured round, in seconds. */
  readonly seconds: number;
  readonly rounds: number;
  /** Length of a warm-up and of a trial of the search for the highest sustainable rate, in seconds. */
  readonly trialSeconds: number;
  /** Trials of that search after the first rate that is kept up with. */
  readonly searchSteps: number;
  /** How often a round is tried in which others use the server's core. */
  readonly tries: number;
  /** Hold Fanfare against its bounds. */
  readonly strict: boolean;
  readonly json: boolean;
  /** Add a round with a CPU profile of Fanfare's server, and write the profile here. */
  readonly profileFolder: string | undefined;
}

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const helpText = `Measures what the server's CPU spends on one delivered message, beside two contenders, in turns in one run:
  floor    the same bytes, one shared buffer written to each plain socket
  ws       ws.send(payload) to each client
  fanfare  the Fanfare server, its real protocol

npm run bench -- [scenario ...] [options]

Scenarios (default: all)
${scenarios.map(({ name, description }) => `  ${name.padEnd(14)} ${description}`).join("\n")}
  micro          encoding, decoding and validating one message, in ns

Options
  --seconds N    length of a measured round (default 5)
  --rounds N     measured rounds of each contender (default 3)
  --only A,B     these contenders only; without both fanfare and floor no bound is checked
  --profile DIR  one more round with a CPU profile of Fanfare, written to DIR, its top functions on stderr
  --short        one round of a second, no bounds: checks that all of it runs and nothing is lost
  --strict       with --short: check the bounds all the same
  --json         one JSON object on stdout instead of tables; with npm run -s, or npm prints lines of its own before
  --help         this text

A round in which other processes use more than a tenth of the server's core is repeated, up to four times.

Exit code: 0 measured and within the bounds, 1 past a bound, or not to be measured because others use the core, or messages were
lost, 2 wrong usage.

Examples
  npm run bench -- group-fanout
  npm run -s bench -- firehose --rounds 5 --seconds 10 --json
  npm run bench -- firehose --only fanfare --profile ./profile
  npm run bench -- --short
`;

/** Undefined if the help text is asked for. Throws a UsageError. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parsed(args);
  if (values.help) return undefined;
  const known = [...scenarios.map(({ name }) => name), "micro"];
  for (const name of positionals) {
    if (!known.includes(name)) throw new UsageError(`unknown scenario "${name}"; there are ${known.join(", ")}`);
  }
  const wanted = positionals.length === 0 ? known : positionals;
  const short = values.short ?? false;
  return {
    scenarios: scenarios.filter(({ name }) => wanted.includes(name)),
    micro: wanted.includes("micro"),
    only: contendersOf(values.only),
    seconds: positive("--seconds", values.seconds, short ? 1 : 5),
    rounds: Math.ceil(positive("--rounds", values.rounds, short ? 1 : 3)),
    trialSeconds: short ? 1 : 5,
    searchSteps: short ? 1 : 4,
    tries: short ? 1 : 5,
    strict: values.strict ?? !short,
    json: values.json ?? false,
    profileFolder: values.profile,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: "string" },
        rounds: { type: "string" },
        only: { type: "string" },
        profile: { type: "string" },
        short: { type: "boolean" },
        strict: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function contendersOf(list: string | undefined): readonly ContenderName[] {
  if (list === undefined) return contenderNames;
  const wanted = list.split(",");
  for (const name of wanted) {
    if (!contenderNames.some((one) => one === name)) {
      throw new UsageError(`unknown contender "${name}"; there are ${contenderNames.join(", ")}`);
    }
  }
  return contenderNames.filter((name) => wanted.includes(name));
}

function positive(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new UsageError(`${option} needs a number above 0, not "${text}"`);
  return value;
}
