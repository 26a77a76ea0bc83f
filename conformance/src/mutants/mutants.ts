import { backendMutants } from "./backend-mutants.ts";
import { durableMutants } from "./durable-mutants.ts";
import { sessionMutants } from "./session-mutants.ts";
import { wireMutants } from "./wire-mutants.ts";

/** Each mutant breaks one rule of the reference server; the requirement is the one whose cases have to notice. */
export const mutants = { ...wireMutants, ...sessionMutants, ...durableMutants, ...backendMutants };

/** The name of a mutant. */
export type Mutant = keyof typeof mutants;

/** The rules that a server breaks. */
export type Breaks = ReadonlySet<Mutant>;

/** No rule is broken. */
export const noBreaks: Breaks = new Set();
