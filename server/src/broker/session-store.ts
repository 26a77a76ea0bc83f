/** A session that a node claims. */
export interface SessionClaim {
  readonly appId: string;
  readonly sessionId: string;
  /** Of the `hello`. */
  readonly attempt: number;
  /** The incarnation that owns it from now on. */
  readonly owner: bigint;
  /** An encoded `fanfare.cluster.v1alpha.SessionRecord`: written if the session is new, and as long as it stands. */
  readonly record: Uint8Array;
  /** For how long the entry is kept without another claim or `extend`, in milliseconds. */
  readonly lifeMs: number;
  /**
   * `atMs`: `kickedAtMs` of the player's standing as the claimer knows it. A session that began when it was lower is ended, and leaves a tombstone
   * of that close code and life in milliseconds. Default: nobody was kicked.
   */
  readonly kicked?: { readonly atMs: number; readonly code: number; readonly lifeMs: number };
  /** A session that must exist already; `new`: one that must not. */
  readonly expects: "existing" | "new";
}

/** What became of a claim. */
export type ClaimResult =
  /** The caller owns it. With `expects: "existing"` the owner before, which may be the caller itself, and the record as it was. */
  | {
      readonly outcome: "claimed";
      readonly previous: { readonly owner: bigint; readonly record: Uint8Array } | undefined;
    }
  /** Another attempt, as high or higher, came before. Nothing has changed. */
  | { readonly outcome: "stale"; readonly attempt: number }
  /** It was ended for good, with this close code. */
  | { readonly outcome: "ended"; readonly code: number }
  /** There is none. */
  | { readonly outcome: "unknown" };

/** Who owns which session. */
export interface SessionStore {
  /**
   * Takes a session over in one step. A claim that is repeated with the same owner and attempt is answered as the first: the owner's own
   * claim counts as no other attempt.
   */
  claim(claim: SessionClaim): Promise<ClaimResult>;
  /** Keeps the entry for at least this long from now, in milliseconds, if the caller still owns it. */
  extend(appId: string, sessionId: string, owner: bigint, lifeMs: number): Promise<void>;
  /**
   * Ends a session, if the caller still owns it.
   * @param tombstone close code with which its resume is refused, and for how long, in milliseconds; undefined: it is forgotten
   */
  end(
    appId: string,
    sessionId: string,
    owner: bigint,
    tombstone: { readonly code: number; readonly lifeMs: number } | undefined,
  ): Promise<void>;
}
