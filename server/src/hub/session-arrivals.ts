import type { MembershipFacts } from "./cluster-memberships.ts";
import type { Ending } from "./session-life.ts";

/** A player of whom somebody knocks. */
interface Arriving {
  count: number;
  readonly changes: MembershipFacts[];
  /** How often the backend has ended the player's sessions since, and how the last time. */
  kicks: number;
  kick: Ending | undefined;
}

/** A session on its way here. */
interface Claiming {
  /** Its attempts. */
  count: number;
  /** The highest attempt by which another node has claimed it since. */
  supersededBy: number;
  /** How the backend has ended it since. */
  kick: Ending | undefined;
  /** Settles when the newest of its attempts is done. */
  last: Promise<void> | undefined;
}

/** Who is on the way to this node, from the first question to other nodes until the session is in the hub: what happens meanwhile counts for them, too. */
export class SessionArrivals {
  readonly #players = new Map<string, Arriving>();
  readonly #sessions = new Map<string, Claiming>();

  /** Somebody knocks for a player. `changes`: those of the player's memberships since, in the order in which they are told here. */
  begin(playerId: string) {
    const arriving = this.#players.get(playerId) ?? { count: 0, changes: [], kicks: 0, kick: undefined };
    this.#players.set(playerId, arriving);
    arriving.count++;
    const kicksBefore = arriving.kicks;
    return {
      changes: arriving.changes as readonly MembershipFacts[],
      /** How the backend has ended the player's sessions meanwhile. */
      kick: (): Ending | undefined => (arriving.kicks > kicksBefore ? arriving.kick : undefined),
      end: (): void => {
        if (--arriving.count === 0) this.#players.delete(playerId);
      },
    };
  }

  /** A session is on its way here. Its attempts come one after the other: `begun` settles when the ones before are done. */
  claim(sessionId: string) {
    const claiming = this.#sessions.get(sessionId) ?? { count: 0, supersededBy: 0, kick: undefined, last: undefined };
    this.#sessions.set(sessionId, claiming);
    claiming.count++;
    const begun = claiming.last;
    const { promise, resolve } = Promise.withResolvers<void>();
    claiming.last = promise;
    return {
      begun,
      kick: (): Ending | undefined => claiming.kick,
      end: (): void => {
        resolve();
        if (--claiming.count === 0) this.#sessions.delete(sessionId);
      },
    };
  }

  /** Somebody of this player is on the way. */
  has(playerId: string): boolean {
    return this.#players.has(playerId);
  }

  /** Another node has claimed a session by this attempt. */
  supersede(sessionId: string, attempt: number): void {
    const claiming = this.#sessions.get(sessionId);
    if (claiming !== undefined) claiming.supersededBy = Math.max(claiming.supersededBy, attempt);
  }

  /** Whether another node has claimed the session by a higher attempt since it began to arrive here. */
  isSuperseded(sessionId: string, attempt: number): boolean {
    return (this.#sessions.get(sessionId)?.supersededBy ?? 0) > attempt;
  }

  /** The backend ends sessions: those too that the hub does not know yet. */
  kick(target: { readonly playerId: string } | { readonly sessionId: string }, ending: Ending): void {
    if ("sessionId" in target) {
      const claiming = this.#sessions.get(target.sessionId);
      if (claiming !== undefined) claiming.kick = ending;
      return;
    }
    const arriving = this.#players.get(target.playerId);
    if (arriving === undefined) return;
    arriving.kicks++;
    arriving.kick = ending;
  }

  /** A player's memberships were changed. */
  changed(change: MembershipFacts): void {
    this.#players.get(change.playerId)?.changes.push(change);
  }
}
