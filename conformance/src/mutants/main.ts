import { Worker } from "node:worker_threads";
import { Command } from "commander";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { usageExitCode } from "../command/exit-code.ts";
import { type ClientMutant, clientMutants } from "./client-mutants.ts";
import type { ClientWorkerMessage } from "./client-worker.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { type Proof, proofLine } from "./proof.ts";
import { proveServerCases } from "./prove-server-cases.ts";

const names = [...Object.keys(mutants), ...Object.keys(clientMutants)];
const command = new Command("npm run conformance:mutants --")
  .description(
    "Proves the suite: the reference server and the reference client pass everything, and each of their mutants is caught by a case that proves the requirement it breaks. Exits with 1 when one is not.",
  )
  .argument("[mutant...]", "only these; all of them by default")
  .option("--list", "print the names of the mutants")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : usageExitCode))
  .showHelpAfterError("Run it with --help for what it takes.")
  .parse();
if (command.opts<{ list?: true }>().list) {
  console.log(names.join("\n"));
  process.exit(0);
}
const wanted = command.args;
const ofServer = (Object.keys(mutants) as Mutant[]).filter(isWanted);
const ofClient = (Object.keys(clientMutants) as ClientMutant[]).filter(isWanted);
const unknown = wanted.filter((name) => !(name in mutants) && !(name in clientMutants));
if (unknown.length > 0) {
  console.error(`there is no mutant ${unknown.join(", ")}; --list names those there are`);
  process.exit(usageExitCode);
}

const proofs = await Promise.all([
  ofServer.length === 0 ? undefined : proveServerCases(loadSuites(readRequirements()), ofServer, show),
  ofClient.length === 0 ? undefined : clientProof(ofClient),
]);
const [server, client] = proofs;
for (const [whose, proof] of [["server", server] as const, ["client", client] as const]) {
  if (proof === undefined) continue;
  console.log(`\n${proof.text}\n\n${proofLine(whose, proof)}`);
  if (proof.isSound) continue;
  console.log(`the reference ${whose} itself fails: what the mutants show is worth nothing until that is repaired`);
}
const all = proofs.filter((proof) => proof !== undefined);
const caught = all.reduce((sum, proof) => sum + proof.caught, 0);
const total = all.reduce((sum, proof) => sum + proof.total, 0);
console.log(`\nmutants: ${caught} caught / ${total}`);
process.exitCode = caught === total && all.every(({ isSound }) => isSound) ? 0 : 1;

function isWanted(name: string): boolean {
  return wanted.length === 0 || wanted.includes(name);
}

function show(line: string): void {
  if (wanted.length > 0 || !line.includes(": caught by ")) console.log(line);
}

function clientProof(selected: readonly ClientMutant[]): Promise<Proof> {
  const worker = new Worker(new URL("./client-worker.ts", import.meta.url), { workerData: selected });
  return new Promise((resolve, reject) => {
    worker.on("message", (message: ClientWorkerMessage) => {
      if ("line" in message) show(message.line);
      else resolve(message.proof);
    });
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the clients' half ended without a result")));
  });
}
