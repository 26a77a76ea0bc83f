/** A position in the log of a durable channel. Positions of different epochs cannot be compared. */
export interface LogPosition {
  /** One life of the log. It changes only when the log was lost or cleared. */
  readonly epoch: number;
  /** Counts from 1 without holes; 0 is before the first entry. */
  readonly offset: number;
  /** The random tag of the entry at the offset, by which forked logs are told apart. */
  readonly tag: number;
}
