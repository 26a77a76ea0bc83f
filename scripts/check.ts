import { checkSteps } from "./check-steps.ts";
import { CommandError } from "./command.ts";
import { refuseUsage, scriptOptions } from "./script-options.ts";

const help = `npm run check -- [options]

Holds the tree to everything but its tests: every step runs, whatever the ones before it found, and the reports of those that failed come last.

  --only <step>  only this one; may be repeated
  --list         print the names of the steps
  --help         print this

Examples:
  npm run check
  npm run check -- --only biome --only types:scripts`;

const values = scriptOptions(help, {
  only: { type: "string", multiple: true },
  list: { type: "boolean" },
});
if (values.list) {
  console.log(checkSteps.map(({ name }) => name).join("\n"));
  process.exit(0);
}
const steps = checkSteps.filter(({ name }) => values.only?.includes(name) ?? true);
if (steps.length === 0 || steps.length < (values.only?.length ?? 0)) {
  refuseUsage(`--only takes: ${checkSteps.map(({ name }) => name).join(", ")}.`);
}

const failures: { name: string; hint: string; report: string }[] = [];
const startedAtMs = performance.now();
for (const { name, hint, run } of steps) {
  const stepStartedAtMs = performance.now();
  const report = await run().then(
    () => undefined,
    (error: Error) =>
      error instanceof CommandError ? `${error.output.trimEnd()}\n${error.message}` : `${error.stack}`,
  );
  console.log(`${report === undefined ? "ok    " : "FAILED"} ${name.padEnd(30)} ${seconds(stepStartedAtMs)}`);
  if (report !== undefined) failures.push({ name, hint, report });
}

for (const { name, hint, report } of failures) console.error(`\n--- ${name} (${hint})\n${report}`);
console.log(`\n${steps.length - failures.length} of ${steps.length} checks hold, ${seconds(startedAtMs).trim()}`);
process.exitCode = failures.length === 0 ? 0 : 1;

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1).padStart(6)} s`;
}
