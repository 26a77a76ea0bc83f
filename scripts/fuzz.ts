import { fuzz } from "../server/src/testing/fuzz/fuzz-run.ts";
import { scriptOptions } from "./script-options.ts";

const help = `npm run fuzz -- [options]

The fuzz test of CI for longer, or again with a seed that it printed. Exits with 1 when the server threw, disturbed a bystander,
closed with a code it must not, or kept anything.

  --frames <n>       mutated frames to send; 1000000 by default
  --seed <n>         the same seed sends the same bytes; random by default
  --concurrency <n>  connections at a time; 16 by default
  --help             print this

npm run fuzz -- --frames 5000000 --seed 7`;

const options = scriptOptions(help, {
  frames: { type: "number", default: 1_000_000 },
  seed: { type: "number", min: 0, default: Math.floor(Math.random() * 2 ** 32) },
  concurrency: { type: "number", default: 16, max: 1_000 },
});

const maxHeapGrowthBytes = 8 * 1024 * 1024;
const startedMs = performance.now();
console.log(`seed ${options.seed}`);
const report = await fuzz(options);
const endings = [...report.endings].map(([code, count]) => `${code}: ${count}`).join(", ");
console.log(`${report.frames} frames on ${report.connections} connections; endings ${endings}`);
console.log(`${report.bystanderMessages} messages of the bystander; heap ${report.heapGrowthBytes} bytes larger`);
const problems = [...report.problems];
if (report.heapGrowthBytes > maxHeapGrowthBytes)
  problems.push(`the heap grew by more than ${maxHeapGrowthBytes} bytes`);
for (const problem of problems) console.error(problem);
console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} s, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
