/** Why a lane does not work: nobody can publish to it; what is published reaches nobody; or it reaches somebody, and does not arrive here. */
export type LaneFault = "unreachable" | "nobody" | "silent";

/**
 * Whether one lane works.
 *
 * | state | event | next |
 * |---|---|---|
 * | up | a probe is lost | down, with what became of it as its fault |
 * | down | something arrives | up |
 * | down, because nobody received a probe | something arrives | the same: what is published finds its way from the primary to a subscription at a replica, and whoever publishes is told that nobody is there |
 * | the same | somebody received a probe, and something has arrived since | up |
 */
export class LaneState {
  isUp = false;
  /** Since when it is up or down, by the monotonic clock. */
  sinceMs: number;
  /** When something arrived last, and through which subscriber. */
  heardAtMs = Number.NEGATIVE_INFINITY;
  heardBy = -1;
  /** Number of the probe that is under way, and when it is overdue. */
  probe: number | undefined;
  overdueAtMs = Number.POSITIVE_INFINITY;
  fault: LaneFault | undefined;
  /** When its shard became another one. */
  movedAtMs = Number.NEGATIVE_INFINITY;
  /** Since when publishing works and receiving does not: the subscriber's fault. */
  deafSinceMs: number | undefined;
  /** The last probe that somebody received. */
  #receivedProbe = 0;
  /** Something has arrived since nobody received one. */
  #isHeardSince = false;

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  /** Something arrived through a subscriber. @returns whether it was down */
  heard(by: number, nowMs: number): boolean {
    this.heardAtMs = nowMs;
    this.heardBy = Math.max(by, this.heardBy);
    this.#isHeardSince = true;
    this.forgetProbe();
    return this.fault !== "nobody" && this.#works(nowMs);
  }

  /** Somebody received a probe. @returns whether it was down, and works */
  received(probe: number, nowMs: number): boolean {
    this.#receivedProbe = Math.max(probe, this.#receivedProbe);
    if (this.fault !== "nobody") return false;
    if (this.#isHeardSince) return this.#works(nowMs);
    this.fault = "silent";
    return false;
  }

  /** Nobody received a probe. @returns whether it was up, or nothing was known of it */
  receivedByNobody(probe: number, nowMs: number): boolean {
    if (probe < this.#receivedProbe) return false;
    this.forgetProbe();
    this.#isHeardSince = false;
    return this.#failed("nobody", nowMs);
  }

  /** A probe was lost. @returns whether it was up, or nothing was known of it */
  lost(probe: number, fault: LaneFault, nowMs: number): boolean {
    if (this.probe !== probe) return false;
    this.forgetProbe();
    return this.#failed(fault, nowMs);
  }

  forgetProbe(): void {
    this.probe = undefined;
    this.overdueAtMs = Number.POSITIVE_INFINITY;
  }

  #works(nowMs: number): boolean {
    this.fault = undefined;
    this.deafSinceMs = undefined;
    if (this.isUp) return false;
    this.isUp = true;
    this.sinceMs = nowMs;
    return true;
  }

  #failed(fault: LaneFault, nowMs: number): boolean {
    this.deafSinceMs = fault === "unreachable" ? undefined : (this.deafSinceMs ?? nowMs);
    const isNews = this.isUp || this.fault === undefined;
    this.fault = fault;
    if (this.isUp) this.sinceMs = nowMs;
    this.isUp = false;
    return isNews;
  }
}
