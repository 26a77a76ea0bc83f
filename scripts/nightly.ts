import { command } from "./command.ts";
import { refuseUsage, scriptOptions } from "./script-options.ts";

const help = `npm run nightly -- [options]

Runs what is too long for CI, one after the other, and prints what failed. Each has bounds of its own, except bench:log and bench:micro, which
print figures and fail only where they cannot be measured. Takes about an hour.

  --only <name>  only this one; may be repeated
  --list         print the names
  --help         print this`;

const node = ["node", "--conditions=@fanfare/source"] as const;

const nodeSdk = [
  ...["conformance/src/main.ts", "client", "--adapter"],
  "node --conditions=@fanfare/source conformance/src/adapters/node-sdk/main.ts",
];

/** Of so many that no two nights have the same. */
const firstSeed = 1 + Math.floor(Math.random() * 2 ** 31);

/** Name, and what is run. CI runs a short form of each. */
const runs: readonly (readonly [string, readonly string[]])[] = [
  ["bench:group-fanout", ["bench/src/main.ts", "group-fanout", "--rounds", "5"]],
  ["bench:firehose", ["bench/src/main.ts", "firehose", "--rounds", "5"]],
  ["bench:micro", ["bench/src/main.ts", "micro"]],
  ["conformance:repeat", [...nodeSdk, "--profile", "core", "--repeat", "20"]],
  [
    "conformance:server:repeat",
    ["conformance/src/main.ts", "server", "--target", "conformance/targets/fanfare-server.yaml", "--repeat", "5"],
  ],
  ["bench:log", ["scripts/bench-log.ts"]],
  ["random-histories", ["node_modules/vitest/vitest.mjs", "run", "server/src/hub/durable", "server/src/log"]],
  ["fuzz", ["scripts/fuzz.ts", "--frames", "5000000"]],
  // Other seeds every night.
  ["simulate", ["scripts/simulate.ts", "--seeds", "30000", "--from", `${firstSeed}`]],
  ["simulate:links", ["scripts/simulate-links.ts", "--seeds", "200000"]],
  ["soak:resume", ["scripts/soak/main.ts"]],
  ["soak:resume:valkey", ["scripts/soak/main.ts", "--valkey"]],
  ["chaos", ["scripts/chaos/main.ts"]],
  ["chaos:log", ["scripts/chaos-log.ts", "--kills", "50"]],
  ["chaos:log:freeze", ["scripts/chaos-log.ts", "--kills", "10", "--freeze"]],
  ["chaos:server-kill", ["scripts/server-kill/main.ts", "--kills", "200"]],
];

const values = scriptOptions(help, {
  only: { type: "string", multiple: true },
  list: { type: "boolean" },
});
if (values.list) {
  console.log(runs.map(([name]) => name).join("\n"));
  process.exit(0);
}
const chosen = runs.filter(([name]) => values.only?.includes(name) ?? true);
if (chosen.length < (values.only?.length ?? 1)) {
  refuseUsage(`--only takes: ${runs.map(([name]) => name).join(", ")}.`);
}

/** Random tests begin elsewhere every night. */
const seed = Math.floor(Math.random() * 2 ** 31);
const failed: string[] = [];
for (const [name, words] of chosen) {
  console.log(`\n=== ${name}, FANFARE_SEED=${seed}`);
  const startedMs = performance.now();
  const holds = await command([...node, ...words], { show: true, env: { FANFARE_SEED: `${seed}` } }).then(
    () => true,
    () => false,
  );
  console.log(
    `=== ${name} ${holds ? "passed" : "FAILED"} after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`,
  );
  if (!holds) failed.push(name);
}
console.log(failed.length === 0 ? `\nall ${chosen.length} passed` : `\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
