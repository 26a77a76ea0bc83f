import { describe, expect, it } from "vitest";
import { StreamLedger } from "./ledger.ts";

describe("a stream of a soak test", () => {
  const faultsAfter = (numbers: number[], published: number) => {
    const ledger = new StreamLedger();
    for (const number of numbers) ledger.take(number);
    return ledger.faults(published);
  };

  it("has no fault when each message came once and in order", () => {
    expect(faultsAfter([1, 2, 3], 3)).toEqual({ lost: 0, doubled: 0, outOfOrder: 0 });
  });

  it("tells what is missing in the middle and at the end", () => {
    expect(faultsAfter([1, 3], 5)).toEqual({ lost: 3, doubled: 0, outOfOrder: 0 });
  });

  it("tells what came twice, early or late", () => {
    expect(faultsAfter([1, 1, 2, 4, 4, 3], 4)).toEqual({ lost: 0, doubled: 2, outOfOrder: 1 });
  });
});
