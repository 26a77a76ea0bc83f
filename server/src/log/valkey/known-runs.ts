import type { Clock } from "../../clock.ts";
import type { Mark } from "../../valkey/reply-mark.ts";

/** How long a run has to be known, in milliseconds: until then owners of routes have written again what a process before it may have lost. */
const settleMs = 3_000;
/** Nodes of Valkey whose runs are known; past it the one that was seen first is forgotten. */
const maxNodes = 4_096;

/** Since when which run of each node of Valkey answers. */
export class KnownRuns {
  readonly #clock: Clock;
  readonly #runs = new Map<string, { readonly run: string; readonly sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of who answers. Whether that run has been known for long: a node that has begun anew may lack what it had. */
  isLong({ node, run }: Mark): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#runs.get(node);
    if (known?.run === run) return nowMs - known.sinceMs >= settleMs;
    this.#runs.delete(node);
    const [first] = this.#runs.keys();
    if (this.#runs.size >= maxNodes && first !== undefined) this.#runs.delete(first);
    this.#runs.set(node, { run, sinceMs: nowMs });
    return false;
  }
}
