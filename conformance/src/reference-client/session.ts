/** What resumes a session. */
export interface Session {
  readonly id: string;
  /** The newest one. */
  readonly secret: string;
  /** The first one; for a mutant. */
  readonly oldestSecret: string;
  readonly attempt: number;
}

/** Where a mutant keeps its session, for every other instance to find. */
export const sessionOfThisMachine: { last: Session | undefined } = { last: undefined };
