import { catalog } from "../contenders/catalog.ts";
import { ContenderProcess } from "../contenders/contender-process.ts";
import type { Fleet } from "../load/fleet.ts";
import { serverCore } from "../measure/pinning.ts";
import type { ContenderName, Options } from "../options.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { DeliveryError } from "./check-deliveries.ts";
import { isDisturbed, leastDisturbed } from "./disturbance.ts";
import { writeProfile } from "./profile.ts";
import { type Round, runRound } from "./round.ts";
import { findSustainableRate, type SustainableRate } from "./sustainable-rate.ts";

/** What one contender did in a scenario. */
export interface ContenderResult {
  readonly name: ContenderName;
  readonly rate: SustainableRate;
  readonly rounds: readonly Round[];
}

interface Running {
  readonly name: ContenderName;
  readonly process: ContenderProcess;
  readonly fleet: Fleet;
}

/**
 * Starts every contender, finds the rate that each keeps up with, and measures them in turns: A B C A B C. What drifts on the machine
 * so hits all of them. Throws a DeliveryError when one loses messages. `progress` gets a line at each step.
 */
export async function runScenario(
  scenario: Scenario,
  options: Options,
  progress: (line: string) => void,
): Promise<ContenderResult[]> {
  await using stack = new AsyncDisposableStack();
  const entries: (Running & { rate: SustainableRate; rounds: Round[] })[] = [];
  for (const name of options.only) {
    const running = await start(name, scenario, stack);
    const rate = await findSustainableRate(
      scenario.messagesPerSecond,
      options.searchSteps,
      async (messagesPerSecond) => {
        const round = await measure(running, scenario, messagesPerSecond, options.trialSeconds);
        progress(`${name}: trial at ${messagesPerSecond.toFixed(1)} messages/s: ${inWords(round)}`);
        return round;
      },
    );
    entries.push({ ...running, rate, rounds: [] });
  }
  for (let turn = 1; turn <= options.rounds; turn++) {
    for (const entry of entries) {
      const measured = async (): Promise<Round> => {
        const round = await measure(entry, scenario, entry.rate.messagesPerSecond, options.seconds);
        progress(`${entry.name}: round ${turn} of ${options.rounds}: ${inWords(round)}`);
        return round;
      };
      entry.rounds.push(await leastDisturbed(options.tries, (round) => !isDisturbed(round), measured));
    }
  }
  const fanfare = entries.find(({ name }) => name === "fanfare");
  if (options.profileFolder !== undefined && fanfare !== undefined) {
    fanfare.process.startProfile();
    await measure(fanfare, scenario, fanfare.rate.messagesPerSecond, options.seconds);
    const { profile } = await fanfare.process.stopProfile();
    for (const line of await writeProfile(profile, options.profileFolder, scenario.name)) progress(line);
  }
  return entries.map(({ name, rate, rounds }) => ({ name, rate, rounds }));
}

async function start(name: ContenderName, scenario: Scenario, stack: AsyncDisposableStack): Promise<Running> {
  const { file, openFleet } = catalog[name];
  const [process, ready] = await ContenderProcess.start(file, scenario, serverCore);
  stack.use(process);
  const fleet = stack.use(await openFleet(scenario, ready));
  return { name, process, fleet };
}

async function measure(
  running: Running,
  scenario: Scenario,
  messagesPerSecond: number,
  seconds: number,
): Promise<Round> {
  try {
    return await runRound(scenario, running.process, running.fleet, messagesPerSecond, seconds);
  } catch (error) {
    if (error instanceof DeliveryError)
      throw new DeliveryError(`${running.name} in ${scenario.name}: ${error.message}`);
    throw error;
  }
}

function inWords(round: Round): string {
  const others = round.foreignShare === undefined ? "" : `, others ${(round.foreignShare * 100).toFixed(0)} %`;
  return (
    `${round.cpuUsPerDelivery.toFixed(2)} us CPU a delivery, ${(round.cpuShare * 100).toFixed(0)} % of the core${others}, ` +
    `drained in ${round.drainMs.toFixed(0)} ms`
  );
}
