import { scriptOptions } from "../script-options.ts";
import { help, soakCommandLine, soakOptions } from "./options.ts";
import { isRight, runSoak } from "./soak-run.ts";

const values = scriptOptions(help, soakCommandLine);
const startedMs = performance.now();
const report = await runSoak(soakOptions(values), (line) => {
  if (!values.json) console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}`);
});
console.log(values.json ? JSON.stringify(report) : report);
process.exit(isRight(report) ? 0 : 1);
