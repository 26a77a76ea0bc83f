import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import topology from "world-atlas/land-110m.json" with { type: "json" };

/** The `d` of an SVG path around all land, x east and y south in degrees. From Natural Earth, which is in the public domain. */
export function landPath(): string {
  const atlas = topology as unknown as Topology<{ land: GeometryCollection }>;
  const rings = feature(atlas, atlas.objects.land).features.flatMap(({ geometry }) => {
    if (geometry.type === "Polygon") return geometry.coordinates;
    return geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : [];
  });
  return rings
    .map((ring) => `M${ring.map(([x = 0, y = 0]) => `${x.toFixed(2)},${(-y).toFixed(2)}`).join("L")}Z`)
    .join("");
}
