/** What running mutants has shown. */
export interface Proof {
  /** For people. */
  readonly text: string;
  readonly caught: number;
  readonly total: number;
  /** The reference implementation passes everything as it should be: otherwise what its mutants show is worth nothing. */
  readonly isSound: boolean;
  readonly durationMs: number;
}

/** The last line of a proof. */
export function proofLine(whose: string, { caught, total, durationMs }: Proof): string {
  return `mutants of the ${whose}: ${caught} caught / ${total}, ${(durationMs / 1000).toFixed(1)} s`;
}
