import { scriptOptions } from "../script-options.ts";
import { fullServerKill, isRight, runServerKills } from "./server-kills.ts";

const help = `npm run chaos:server-kill -- [options]

Kills a server (SIGKILL) on a Valkey of its own at random moments, again and again, while backends publish durable messages through the
control API and repeat under its key each call that has no answer, and players receive them. Exits with 1 if an acknowledged message is
not stored exactly once, or was not brought to each player exactly once and in order, or if a server ended by itself.

  --kills <n>    servers to kill; ${fullServerKill.kills} by default
  --seconds <n>  begin no kill after this time; ${fullServerKill.maxSeconds} by default
  --json         print the figures alone, as JSON; with npm run -s, or npm prints lines of its own before
  --help         print this

npm run chaos:server-kill -- --kills 20`;

const { kills, seconds, json } = scriptOptions(help, {
  kills: { type: "number", default: fullServerKill.kills },
  seconds: { type: "number", default: fullServerKill.maxSeconds },
  json: { type: "boolean" },
});
const startedMs = performance.now();
const report = await runServerKills({ ...fullServerKill, kills, maxSeconds: seconds }, (line) => {
  if (!json) console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${line}`);
});
console.log(json ? JSON.stringify(report) : report);
process.exit(isRight(report) ? 0 : 1);
