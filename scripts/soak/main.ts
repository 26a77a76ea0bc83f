import { help, soakOptions } from "./options.ts";
import { runSoak } from "./soak-run.ts";

// `npm run soak:resume`: see `--help`.
const options = soakOptions(process.argv.slice(2));
if (options.help) {
  console.log(help);
  process.exit(0);
}
const startedMs = performance.now();
const report = await runSoak(options, (line) => {
  if (!options.json) console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}`);
});
const { lost, doubled, outOfOrder, failedPublishes } = report;
console.log(options.json ? JSON.stringify(report) : report);
const isRight = lost === 0 && doubled === 0 && outOfOrder === 0 && failedPublishes.length === 0 && report.expected > 0;
process.exit(isRight ? 0 : 1);
