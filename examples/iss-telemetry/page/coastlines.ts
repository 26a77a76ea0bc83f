import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import topology from "world-atlas/land-110m.json" with { type: "json" };
import { type MapPoint, pathThrough, unwrapped } from "./geometry.ts";

/** The `d` of an SVG path around all land, beyond ±180 where land goes over the date line. From Natural Earth, which is in the public domain. */
export function landPath(): string {
  const atlas = topology as unknown as Topology<{ land: GeometryCollection }>;
  const rings = feature(atlas, atlas.objects.land).features.flatMap(({ geometry }) => {
    if (geometry.type === "Polygon") return geometry.coordinates;
    return geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : [];
  });
  return rings.map((ring) => pathThrough(ringOutline(ring), true)).join("");
}

/** A ring on the map. One that goes around the Earth, Antarctica's, is closed along the pole. */
export function ringOutline(ring: readonly (readonly number[])[]): MapPoint[] {
  const outline = unwrapped(ring.map(([longitudeDeg = 0, latitudeDeg = 0]) => ({ longitudeDeg, latitudeDeg })));
  const [startX = 0, startY = 0] = outline[0] ?? [];
  const [endX] = outline.at(-1) ?? [0];
  if (Math.abs(endX - startX) < 180) return outline;
  const poleY = startY > 0 ? 90 : -90;
  return [...outline, [endX, poleY], [startX, poleY]];
}
