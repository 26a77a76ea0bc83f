import { describe, expect, it } from "vitest";
import { readElementSet } from "./element-set.ts";
import { groundDistanceKm } from "./great-circle.ts";
import { groundTrack, periodMs, stateAt } from "./orbit.ts";

const elements = readElementSet();
const epochMs = elements.epoch.getTime();
const day = Array.from({ length: 24 * 60 }, (_, minute) => stateAt(elements, new Date(epochMs + minute * 60_000)));

describe("the orbit", () => {
  it("stays at the height, speed and latitudes of the station over a day", () => {
    for (const { altitudeKm, speedKmS, subpoint } of day) {
      expect(altitudeKm).toBeGreaterThan(405);
      expect(altitudeKm).toBeLessThan(445); // above the flattened south the most
      expect(speedKmS).toBeGreaterThan(7.64);
      expect(speedKmS).toBeLessThan(7.68);
      expect(Math.abs(subpoint.latitudeDeg)).toBeLessThan(51.9);
      expect(Math.abs(subpoint.longitudeDeg)).toBeLessThanOrEqual(180);
    }
    expect(Math.max(...day.map(({ subpoint }) => subpoint.latitudeDeg))).toBeGreaterThan(51.7);
  });

  it("goes around in 92.9 minutes", () => {
    expect(periodMs(elements) / 60_000).toBeCloseTo(92.93, 1);
    const [from, to] = [0, periodMs(elements)].map((ms) => stateAt(elements, new Date(epochMs + ms)));
    expect(to?.subpoint.latitudeDeg).toBeCloseTo(from?.subpoint.latitudeDeg ?? 0, 0);
  });

  it("is in the Earth's shadow for a good third of the time", () => {
    const dark = day.filter(({ sunlit }) => !sunlit).length / day.length;
    expect(dark).toBeGreaterThan(0.3);
    expect(dark).toBeLessThan(0.42);
  });

  it("has the Sun above Greenwich at noon, and where the season puts it", () => {
    const { subsolarPoint } = stateAt(elements, new Date("2026-08-26T12:02:00Z")); // the Sun is two minutes late then
    expect(subsolarPoint.longitudeDeg).toBeCloseTo(0, 0);
    expect(subsolarPoint.latitudeDeg).toBeCloseTo(10.3, 0);
  });

  it("moves over the ground by about 7.2 km a second", () => {
    const track = groundTrack(elements, epochMs, epochMs + 60_000, 1000);
    expect(track).toHaveLength(61);
    for (const [i, point] of track.slice(1).entries()) {
      const km = groundDistanceKm(track[i] ?? point, point);
      expect(km).toBeGreaterThan(6.8);
      expect(km).toBeLessThan(7.5);
    }
  });

  it("says so when the elements are too old to mean anything", () => {
    expect(() => stateAt(elements, new Date("2046-01-01T00:00:00Z"))).toThrow(/bring newer ones/);
  });
});
