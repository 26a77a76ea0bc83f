import type { Clock } from "../clock.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { Session } from "./session.ts";
import type { Subscribers } from "./subscribers.ts";
import type { Subscription } from "./subscription.ts";

/** Who a message reached. */
export interface FanOutReport {
  /** Sessions whose send queue took it. */
  reached: number;
  /** Subscribed sessions without a connection. */
  detached: number;
  /** Left out because of `exclude_self`. */
  excluded: number;
}

/** How one subscription was served. `later`: from the log, when it has read that far. */
export type Served = "reached" | "detached" | "excluded" | "later";

/** A message on its way into send queues. */
export interface FanOutJob {
  readonly subscribers: Subscribers;
  /** The frame for everybody, or how each subscription is served. */
  readonly serve: OutboundFrame | ((subscription: Subscription) => Served);
  /** The session to leave out of a frame for everybody. */
  readonly excluded: Session | undefined;
  /** Called once, when everybody was served. */
  readonly done: (report: FanOutReport) => void;
}

/** How long a fan-out may hold the event loop, in milliseconds. */
const sliceMs = 5;
/** After how many sends the clock is read. */
const clockStride = 256;

interface Running {
  readonly job: FanOutJob;
  readonly list: readonly Subscription[];
  readonly report: FanOutReport;
  next: number;
}

/**
 * Puts messages into the send queues of subscribers, in slices of at most 5 ms. Jobs are served one after the other in the order they
 * came, so a message never overtakes an earlier one. Bounded: past `maxWaiting` jobs `deliver` refuses.
 */
export class FanOut {
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  readonly #waiting: FanOutJob[] = [];
  #running: Running | undefined;

  constructor(clock: Clock, maxWaiting = 10_000) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  /** Serves the job, at once when nothing is under way. False: refused, because too many wait. */
  deliver(job: FanOutJob): boolean {
    if (this.#running !== undefined) {
      if (this.#waiting.length >= this.#maxWaiting) return false;
      this.#waiting.push(job);
      return true;
    }
    this.#start(job);
    this.#run(this.#clock.monotonicMs() + sliceMs);
    return true;
  }

  #start(job: FanOutJob): void {
    const report = { reached: 0, detached: 0, excluded: 0 };
    this.#running = { job, list: job.subscribers.hold(), report, next: 0 };
  }

  #run(untilMs: number): void {
    while (this.#running !== undefined) {
      if (!this.#slice(this.#running, untilMs)) {
        this.#clock.defer(() => this.#run(this.#clock.monotonicMs() + sliceMs));
        return;
      }
      const { job, list, report } = this.#running;
      job.subscribers.release(list);
      this.#running = undefined;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#start(next);
      job.done(report);
    }
  }

  /** Serves until the end (true) or until the time is up (false). */
  #slice(running: Running, untilMs: number): boolean {
    const { list, job, report } = running;
    const { serve, excluded } = job;
    let index = running.next;
    while (index < list.length) {
      const end = Math.min(index + clockStride, list.length);
      for (; index < end; index++) {
        const subscription = list[index] as Subscription;
        if (!subscription.active || subscription.pending) continue;
        const { session } = subscription;
        if (typeof serve === "function") {
          const served = serve(subscription);
          if (served !== "later") report[served]++;
        } else if (session === excluded) report.excluded++;
        else if (session.link === undefined) report.detached++;
        else {
          session.link.enqueue(serve);
          report.reached++;
        }
      }
      if (index < list.length && this.#clock.monotonicMs() >= untilMs) {
        running.next = index;
        return false;
      }
    }
    return true;
  }
}
