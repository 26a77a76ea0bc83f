import type { Deliveries } from "./deliveries.ts";

/** Every connection the load generator holds to one contender. */
export interface Fleet extends AsyncDisposable {
  readonly deliveries: Deliveries;
  /** Publishes one message by this publisher, stamped with the present time. Does not wait. */
  publish(publisher: number): void;
  /** Publishes that the contender owes an answer. Always 0 for contenders that do not answer. */
  readonly unanswered: number;
}

/** Runs `open` for 0 to count - 1, at most 64 at once, and returns the results in their order. */
export async function openMany<T>(count: number, open: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = new Array(count);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await open(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(64, count) }, worker));
  return results;
}
