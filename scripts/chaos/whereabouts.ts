/** Something that was done to one node, by the monotonic clock. */
export interface Strike {
  readonly nodeId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** When a client may feel what was done to its node. */
export interface StruckSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Stay {
  readonly nodeId: string;
  readonly fromMs: number;
}

/** How long after it has come to another node a client may be told what it has missed, in milliseconds. */
const settleMs = 2_000;

/** At which node each client was when. */
export class Whereabouts {
  readonly #stays = new Map<string, Stay[]>();

  /** From now on it is connected to this node. */
  arrived(client: string, nodeId: string, atMs: number): void {
    const stays = this.#stays.get(client) ?? [];
    stays.push({ nodeId, fromMs: atMs });
    this.#stays.set(client, stays);
  }

  /** Whether it was connected to this node then, or had been until it was without a connection. */
  isAt(client: string, nodeId: string, atMs: number): boolean {
    return this.#stays.get(client)?.findLast(({ fromMs }) => fromMs <= atMs)?.nodeId === nodeId;
  }

  /**
   * For each strike at a node while the client was there: from its begin until the client is at home elsewhere, or back. Who came while the node was
   * struck may stay there: for them it is over with the strike.
   */
  struckSpans(client: string, strikes: readonly Strike[]): StruckSpan[] {
    const stays = this.#stays.get(client) ?? [];
    return stays.flatMap(({ nodeId, fromMs }, i) => {
      const leftMs = stays[i + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
      const its = strikes.filter((one) => one.nodeId === nodeId && one.fromMs < leftMs && fromMs <= one.toMs);
      return its.map((one) => {
        const overMs = fromMs > one.fromMs ? Math.min(leftMs, one.toMs) : leftMs;
        return { fromMs: Math.max(fromMs, one.fromMs), toMs: overMs + settleMs };
      });
    });
  }
}
