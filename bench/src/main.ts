import { describeMachine } from "./measure/machine.ts";
import { loadCore, pinThisProcess } from "./measure/pinning.ts";
import { runMicro } from "./micro/run-micro.ts";
import { helpText, type Options, parseOptions, UsageError } from "./options.ts";
import { machineLines, scenarioLines, table } from "./report.ts";
import { DeliveryError } from "./run/check-deliveries.ts";
import { runScenario } from "./run/scenario-run.ts";
import { judge } from "./verdict.ts";

const progress = (line: string): void => console.error(line);

/** Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) {
    console.log(helpText);
    return 0;
  }
  return measure(options);
}

async function measure(options: Options): Promise<number> {
  const machine = describeMachine();
  pinThisProcess(loadCore);
  const say = (lines: readonly string[]): void => {
    if (!options.json) console.log(`${lines.join("\n")}\n`);
  };
  say(machineLines(machine));
  let failed = false;
  const measured: object[] = [];
  for (const scenario of options.scenarios) {
    const results = await runScenario(scenario, options, progress);
    const verdict = judge(scenario, results);
    failed ||= options.strict && verdict !== undefined && (!verdict.within || verdict.disturbed);
    measured.push({ scenario, results, verdict, checked: options.strict });
    say(scenarioLines(scenario, results, verdict, options.strict));
  }
  const micro = options.micro ? runMicro(options.trialSeconds * 50) : undefined;
  if (micro !== undefined) {
    const rows = micro.map(({ name, nsPerOp }) => [
      name,
      nsPerOp.median.toFixed(0),
      nsPerOp.min.toFixed(0),
      nsPerOp.max.toFixed(0),
    ]);
    say(table([["micro", "ns/op", "min", "max"], ...rows]));
  }
  if (options.json) console.log(JSON.stringify({ machine, scenarios: measured, micro }, null, 2));
  return failed ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\nTry --help.`);
    process.exitCode = 2;
  } else if (error instanceof DeliveryError) {
    console.error(`FAILED: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}
