import { describe, expect, it } from "vitest";
import { footprintOutline, nightOutline, pathThrough, unwrapped } from "./geometry.ts";

describe("unwrapped", () => {
  it("goes on beyond the date line instead of jumping", () => {
    const east = [170, 179, -178, -170].map((longitudeDeg) => ({ latitudeDeg: 1, longitudeDeg }));
    expect(unwrapped(east).map(([x]) => x)).toEqual([170, 179, 182, 190]);
    expect(unwrapped(east.toReversed()).map(([x]) => x)).toEqual([-170, -178, -181, -190]);
  });
});

describe("pathThrough", () => {
  it("draws nothing through no points", () => {
    expect(pathThrough([])).toBe("");
    expect(
      pathThrough(
        [
          [1, 2.345],
          [3, 4],
        ],
        true,
      ),
    ).toBe("M1,2.35L3,4Z");
  });
});

describe("nightOutline", () => {
  it("has the South Pole dark and the North Pole lit in the northern summer", () => {
    const outline = nightOutline({ latitudeDeg: 23.4, longitudeDeg: 0 });
    expect(outline[0]).toEqual([-180, 90]);
    expect(Math.min(...outline.map(([, y]) => y))).toBeCloseTo(-66.6, 1);
  });

  it("runs through the points that are a quarter turn from the Sun", () => {
    const outline = nightOutline({ latitudeDeg: -10, longitudeDeg: 20 });
    expect(outline.find(([x]) => x === 110)?.[1]).toBeCloseTo(0, 6);
    expect(outline[0]).toEqual([-180, -90]);
  });
});

describe("footprintOutline", () => {
  it("reaches 20 degrees around the station", () => {
    const outline = footprintOutline({ latitudeDeg: 0, longitudeDeg: 100 }, 420);
    expect(Math.max(...outline.map(([x]) => x)) - 100).toBeCloseTo(20.24, 1);
    expect(Math.max(...outline.map(([, y]) => y))).toBeCloseTo(20.24, 1);
  });
});
