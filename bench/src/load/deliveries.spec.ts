import { describe, expect, it } from "vitest";
import { Deliveries } from "./deliveries.ts";
import { stampedPayload } from "./stamp.ts";

describe("Deliveries", () => {
  const payload = (counter: number) => stampedPayload(16, { sentAtMs: performance.now(), publisher: 0, counter });

  it("finds the members that got too little or too much, even when the sum is right", () => {
    const deliveries = new Deliveries(10, 1);
    for (let member = 0; member < 10; member++) deliveries.count(member);
    expect(deliveries.membersOtherThan(1)).toBe(0);
    deliveries.reset();
    for (let member = 0; member < 10; member++) deliveries.count(member === 3 ? 4 : member);
    expect(deliveries.total).toBe(10);
    expect(deliveries.membersOtherThan(1)).toBe(2);
  });

  it("samples the first, the last and members between", () => {
    const deliveries = new Deliveries(1_000, 1);
    const sampled = Array.from({ length: 1_000 }, (_, member) => member).filter((member) =>
      deliveries.isSampled(member),
    );
    expect(sampled).toHaveLength(8);
    expect(sampled[0]).toBe(0);
    expect(sampled.at(-1)).toBe(999);
  });

  it("takes a hole, a repeat and a change of order for problems, also across rounds", () => {
    const deliveries = new Deliveries(10, 1);
    deliveries.sample(0, payload(0), 0);
    deliveries.reset();
    deliveries.sample(0, payload(1), 0);
    expect(deliveries.problems).toEqual([]);
    deliveries.sample(0, payload(3), 0);
    deliveries.sample(0, payload(3), 0);
    deliveries.sample(0, payload(2), 0);
    expect(deliveries.problems).toHaveLength(3);
  });
});
