/** One check of a target or an adapter. */
export interface Finding {
  /** What was checked, as a statement that should hold. */
  readonly name: string;
  /** What was seen instead; undefined if it holds. */
  readonly problem?: string;
  /** What to do about it. */
  readonly remedy?: string;
}
