import type { Case } from "@fanfare/proto/conformance/v1alpha";
import type { Requirement } from "../cases/requirements.ts";

/** Why no case can show whether a requirement is kept. */
export interface Untestable {
  readonly id: string;
  readonly reason: string;
}

/** How a requirement is proven. */
export type Coverage =
  | { readonly kind: "tested"; readonly cases: readonly string[]; readonly watched: boolean }
  | { readonly kind: "untestable"; readonly reason: string }
  | { readonly kind: "pending" };

/** A requirement for one of the two sides, and how it is proven. One that binds both has two. */
export interface Traced {
  readonly requirement: Requirement;
  readonly side: "client" | "server";
  readonly coverage: Coverage;
}

/** What coverage is made from. */
export interface CoverageSources {
  readonly requirements: ReadonlyMap<string, Requirement>;
  readonly cases: readonly Case[];
  /** Requirements that are held on every connection, by side. */
  readonly watched: Readonly<Record<"client" | "server", readonly string[]>>;
  readonly untestable: Readonly<Record<"client" | "server", readonly Untestable[]>>;
}

/** How each requirement is proven, in the order of the text. */
export function traceRequirements({ requirements, cases, watched, untestable }: CoverageSources): Traced[] {
  const subjects = { server: 1, client: 2 } as const;
  return [...requirements.values()].flatMap((requirement) => {
    const sides = requirement.binds === "both" ? (["server", "client"] as const) : [requirement.binds];
    return sides.map((side) => {
      const own = cases.filter(({ subject, specs }) => subject === subjects[side] && specs.includes(requirement.id));
      const isWatched = watched[side].includes(requirement.id);
      const reason = untestable[side].find(({ id }) => id === requirement.id)?.reason;
      const coverage: Coverage =
        own.length > 0 || isWatched
          ? { kind: "tested", cases: own.map(({ id }) => id), watched: isWatched }
          : reason !== undefined
            ? { kind: "untestable", reason }
            : { kind: "pending" };
      return { requirement, side, coverage };
    });
  });
}

/** What is wrong with the lists: ids of no requirement, and requirements called untestable that a case tests. */
export function listProblems(
  traced: readonly Traced[],
  { requirements, untestable, watched }: CoverageSources,
): string[] {
  const problems: string[] = [];
  for (const side of ["client", "server"] as const) {
    for (const { id, reason } of untestable[side]) {
      const found = traced.find((one) => one.side === side && one.requirement.id === id);
      if (found === undefined) problems.push(`untestable.yaml: ${id} binds no ${side}`);
      else if (found.coverage.kind === "tested") problems.push(`untestable.yaml: ${id} is tested for the ${side}`);
      if (reason === "") problems.push(`untestable.yaml: ${id} has no reason`);
    }
    for (const id of watched[side]) {
      if (!requirements.has(id)) problems.push(`${id} is watched and is no requirement`);
    }
  }
  return problems;
}
