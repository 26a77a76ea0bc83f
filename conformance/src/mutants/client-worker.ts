import { parentPort, workerData } from "node:worker_threads";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import type { ClientMutant } from "./client-mutants.ts";
import type { Proof } from "./proof.ts";
import { proveClientCases } from "./prove-client-cases.ts";

/** What the worker tells: a line as it goes, and the proof at the end. */
export type ClientWorkerMessage = { readonly line: string } | { readonly proof: Proof };

// The clients' half of main.ts, on a thread of its own: it keeps times, and must not wait for the servers' half.
const tell = (message: ClientWorkerMessage) => parentPort?.postMessage(message);
const selected = workerData as readonly ClientMutant[];
tell({ proof: await proveClientCases(loadSuites(readRequirements()), selected, (line) => tell({ line })) });
process.exit(0);
