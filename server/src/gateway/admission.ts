import type { Clock } from "../clock.ts";
import type { ResolvedLimits } from "../config/resolved-limits.ts";
import { TokenBucket } from "../limits/token-bucket.ts";
import type { Counters } from "../observe/counters.ts";

/** Why a connection is not admitted, in a sentence for developers that names the setting. */
export type Refusal = string;

/** What share of the handshakes a second resumes may take on top. */
const resumeShare = 0.25;

/** Decides whether a node takes one more connection or handshake. Bounded by the connections it admits. */
export class Admission {
  readonly #limits: ResolvedLimits;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #byAddress = new Map<string, number>();
  readonly #handshakes: TokenBucket;
  readonly #resumes: TokenBucket;

  constructor(limits: ResolvedLimits, clock: Clock, counters: Counters) {
    const rate = limits.handshakesPerSecond;
    const nowMs = clock.monotonicMs();
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
    this.#handshakes = new TokenBucket(rate, rate, nowMs);
    this.#resumes = new TokenBucket(rate * resumeShare, Math.max(1, rate * resumeShare), nowMs);
  }

  /** Takes a connection in, or says why not. Each that was taken in is given back by `leave`, with the same address. */
  enter(address: string): Refusal | undefined {
    const { maxConnections, maxUnauthenticated, maxConnectionsPerAddress } = this.#limits;
    if (this.#counters.connections >= maxConnections) return "the node is full (limits.max_connections)";
    if (this.#counters.unauthenticated >= maxUnauthenticated) {
      return "too many connections have not been welcomed yet (limits.max_unauthenticated)";
    }
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (ofAddress >= maxConnectionsPerAddress) {
      return "too many connections from this address (limits.max_connections_per_address)";
    }
    this.#byAddress.set(address, ofAddress + 1);
    this.#counters.connections++;
    this.#counters.unauthenticated++;
    return undefined;
  }

  /** A connection has ended. */
  leave(address: string, wasAuthenticated: boolean): void {
    const ofAddress = (this.#byAddress.get(address) ?? 1) - 1;
    if (ofAddress === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, ofAddress);
    this.#counters.connections--;
    if (!wasAuthenticated) this.#counters.unauthenticated--;
  }

  /** Whether a hello may be handled now. Resumes have a share of their own on top, so that they come first. */
  handshake(isResume: boolean): Refusal | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#handshakes.take(nowMs) || (isResume && this.#resumes.take(nowMs))) return undefined;
    return "too many handshakes at the moment (limits.handshakes_per_second)";
  }

  /** Whether a player with that many connections may have one more. */
  player(connections: number): Refusal | undefined {
    if (connections < this.#limits.maxConnectionsPerPlayer) return undefined;
    return "the player has too many connections (limits.max_connections_per_player)";
  }
}
