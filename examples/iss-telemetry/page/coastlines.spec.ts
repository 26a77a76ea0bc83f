import { expect, it } from "vitest";
import { landPath, ringOutline } from "./coastlines.ts";

it("draws no line across the map where land goes over the date line", () => {
  const chukotka = [
    [175, 68],
    [-175, 67],
    [-175, 66],
    [175, 68],
  ];
  expect(ringOutline(chukotka)).toEqual([
    [175, -68],
    [185, -67],
    [185, -66],
    [175, -68],
  ]);
});

it("closes land around a pole along the pole", () => {
  const antarctica = [-180, -90, 0, 90, -180].map((longitude) => [longitude, -75]);
  expect(ringOutline(antarctica).slice(-2)).toEqual([
    [180, 90],
    [-180, 90],
  ]);
});

it("knows all land", () => {
  expect(landPath().match(/M/g)?.length).toBeGreaterThan(100);
});
