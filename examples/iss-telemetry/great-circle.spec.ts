import { expect, it } from "vitest";
import { groundDistanceKm } from "./great-circle.ts";

it("is a quarter of the circumference from the equator to a pole", () => {
  const distance = groundDistanceKm({ latitudeDeg: 0, longitudeDeg: 12 }, { latitudeDeg: 90, longitudeDeg: -70 });
  expect(distance).toBeCloseTo(10_007.56, 1);
});

it("goes over the date line where that is shorter", () => {
  const distance = groundDistanceKm({ latitudeDeg: 0, longitudeDeg: 179.5 }, { latitudeDeg: 0, longitudeDeg: -179.5 });
  expect(distance).toBeCloseTo(111.2, 1);
});
