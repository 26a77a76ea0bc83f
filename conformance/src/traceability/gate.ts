import type { Traced } from "./coverage.ts";
import { isBinding } from "./table.ts";

/** A MUST that nothing proves and nobody has called untestable, in words; such a one must not stay. */
export function gateProblems(traced: readonly Traced[], sides: readonly Traced["side"][]): string[] {
  return traced
    .filter(({ requirement, side, coverage }) => {
      return sides.includes(side) && isBinding(requirement) && coverage.kind === "pending";
    })
    .map(({ requirement, side }) => {
      const { id, level } = requirement;
      return `${id}: no case proves this ${level} of a ${side}, and untestable.yaml does not say why none can`;
    });
}
