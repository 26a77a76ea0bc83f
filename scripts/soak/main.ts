import { scriptOptions } from "../script-options.ts";
import { help, soakCommandLine, soakOptions } from "./options.ts";
import { runSoak } from "./soak-run.ts";

const values = scriptOptions(help, soakCommandLine);
const startedMs = performance.now();
const report = await runSoak(soakOptions(values), (line) => {
  if (!values.json) console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}`);
});
const { lost, doubled, outOfOrder, failedPublishes } = report;
console.log(values.json ? JSON.stringify(report) : report);
const isRight = lost === 0 && doubled === 0 && outOfOrder === 0 && failedPublishes.length === 0 && report.expected > 0;
process.exit(isRight ? 0 : 1);
