import { describe, expect, it } from "vitest";
import { Random } from "../../testing/random.ts";
import { ReceiveWindow } from "./receive-window.ts";

describe("ReceiveWindow", () => {
  it("takes numbers in their turn, each once", () => {
    const window = new ReceiveWindow<string>(10);
    expect(window.arrive(1, "a")).toBe("next");
    expect(window.arrive(1, "a")).toBe("duplicate");
    expect(window.acknowledged).toBe(1);
    expect(window.takeNext()).toBeUndefined();
  });

  it("keeps what is early, names what is missing, and gives it in its turn", () => {
    const window = new ReceiveWindow<string>(10);
    expect(window.arrive(2, "b")).toBe("early");
    expect(window.arrive(5, "e")).toBe("early");
    expect(window.arrive(5, "e")).toBe("duplicate");
    expect(window.hasGap).toBe(true);
    expect(window.missing()).toEqual([1, 3, 4]);
    expect(window.arrive(1, "a")).toBe("next");
    expect(window.takeNext()).toBe("b");
    expect(window.takeNext()).toBeUndefined();
    expect(window.missing()).toEqual([3, 4]);
    expect(window.arrive(4, "d")).toBe("early");
    expect(window.arrive(3, "c")).toBe("next");
    expect([window.takeNext(), window.takeNext(), window.takeNext()]).toEqual(["d", "e", undefined]);
    expect(window.acknowledged).toBe(5);
    expect(window.hasGap).toBe(false);
  });

  it("keeps nothing that is too far ahead, and names 64 at most", () => {
    const window = new ReceiveWindow<string>(100);
    expect(window.arrive(102, "x")).toBe("too_early");
    expect(window.hasGap).toBe(false);
    expect(window.arrive(101, "x")).toBe("early");
    expect(window.missing()).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
  });

  it("gives every number once and in order, whatever the order of arrival", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = new Random(seed);
      const window = new ReceiveWindow<number>(8);
      const given: number[] = [];
      while (given.length < 50) {
        const number = Math.max(1, window.acknowledged + 1 + random.below(14) - 4);
        if (window.arrive(number, number) !== "next") continue;
        given.push(number);
        for (let next = window.takeNext(); next !== undefined; next = window.takeNext()) given.push(next);
        expect(window.acknowledged).toBe(given.length);
      }
      expect(given).toEqual(given.map((_, index) => index + 1));
    }
  });
});
