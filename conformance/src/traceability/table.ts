import type { Requirement } from "../cases/requirements.ts";
import type { Traced } from "./coverage.ts";

/** Whether an obligation is a MUST or a MUST NOT. */
export function isBinding({ level }: Requirement): boolean {
  return level === "MUST" || level === "MUST NOT";
}

/** How many requirements of a kind there are. */
export interface CoverageCount {
  readonly tested: number;
  readonly untestable: number;
  readonly pending: number;
}

/** Counts the MUST and MUST NOT of one side. */
export function countMusts(traced: readonly Traced[], side: "client" | "server"): CoverageCount {
  const own = traced.filter((one) => one.side === side && isBinding(one.requirement));
  const count = (kind: string) => own.filter(({ coverage }) => coverage.kind === kind).length;
  return { tested: count("tested"), untestable: count("untestable"), pending: count("pending") };
}

/** The page docs/reference/traceability.md. */
export function traceabilityPage(traced: readonly Traced[]): string {
  const sides = ["server", "client"] as const;
  const counts = sides.map((side) => {
    const { tested, untestable, pending } = countMusts(traced, side);
    return `| ${side} | ${tested + untestable + pending} | ${tested} | ${untestable} | ${pending} |`;
  });
  return [
    "# Which case proves which requirement",
    "",
    "Made by scripts/traceability.ts from the suites and `conformance/requirements/v1.yaml`. Do not edit.",
    "",
    "*On every connection* says that the runner holds each connection of each case to the requirement. *Pending* has no case yet.",
    "",
    "| MUST and MUST NOT of a | in all | tested | untestable | pending |",
    "|---|---|---|---|---|",
    ...counts,
    "",
    ...sides.flatMap((side) => section(traced, side)),
  ].join("\n");
}

function section(traced: readonly Traced[], side: "client" | "server"): string[] {
  const rows = traced
    .filter((one) => one.side === side)
    .map(({ requirement, coverage }) => `| ${requirement.id} | ${requirement.level} | ${proof(coverage)} |`);
  return [`## Of a ${side}`, "", "| Requirement | Level | Proven by |", "|---|---|---|", ...rows, ""];
}

function proof(coverage: Traced["coverage"]): string {
  if (coverage.kind === "pending") return "*pending*";
  if (coverage.kind === "untestable") return `untestable: ${coverage.reason}`;
  const cases = coverage.cases.map((id) => `\`${id}\``);
  return [...(coverage.watched ? ["on every connection"] : []), ...cases].join(", ");
}
