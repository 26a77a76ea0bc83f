import { scriptOptions } from "../script-options.ts";
import { fullServerKill, isRight, runServerKills } from "./server-kills.ts";

const help = `npm run chaos:server-kill -- [options]

Kills a server (SIGKILL) on a Valkey of its own at random moments, again and again, while backends publish durable messages through the
control API and repeat under its key each call that has no answer, and players receive them. Exits with 1 if an acknowledged message is
not stored exactly once, or was not brought to each player exactly once and in order.

  --kills <n>    servers to kill; ${fullServerKill.kills} by default
  --seconds <n>  begin no kill after this time; ${fullServerKill.maxSeconds} by default
  --json         print the figures alone, as JSON
  --help         print this

npm run chaos:server-kill -- --kills 20`;

const values = scriptOptions(help, {
  kills: { type: "string", default: `${fullServerKill.kills}` },
  seconds: { type: "string", default: `${fullServerKill.maxSeconds}` },
  json: { type: "boolean", default: false },
});
const [kills, maxSeconds] = [Number(values.kills), Number(values.seconds)];
for (const [name, value] of Object.entries({ kills, seconds: maxSeconds })) {
  if (Number.isSafeInteger(value) && value >= 1) continue;
  console.error(`--${name} is a whole number from 1 on\n\n${help}`);
  process.exit(2);
}
const startedMs = performance.now();
const report = await runServerKills({ ...fullServerKill, kills, maxSeconds }, (line) => {
  if (!values.json) console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}`);
});
console.log(values.json ? JSON.stringify(report) : report);
process.exit(isRight(report) ? 0 : 1);
