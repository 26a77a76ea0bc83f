import type { Case, CaseResult } from "@fanfare/proto/conformance/v1alpha";
import type { Requirement } from "../cases/requirements.ts";

/** One check of a target or an adapter. */
export interface Finding {
  /** What was checked, as a statement that should hold. */
  readonly name: string;
  /** What was seen instead; undefined if it holds. */
  readonly problem?: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** What to do about a check that failed: what the broken rule says if one that holds everywhere was broken, else what the check's notes say. */
export function remedyOf(
  { brokenSpec }: CaseResult,
  { notes }: Case,
  requirements: ReadonlyMap<string, Requirement>,
): string {
  const broken = requirements.get(brokenSpec);
  return broken === undefined ? notes : `${brokenSpec}: ${broken.text}`;
}
