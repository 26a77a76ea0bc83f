/** A point on the ground, in degrees. */
export interface GroundPoint {
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
}

/** x east and y south in degrees, as the map has them. Beyond ±180 where a line has gone around. */
export type MapPoint = readonly [x: number, y: number];

const radian = Math.PI / 180;
const earthRadiusKm = 6371.0088;

/** A line without jumps at the date line: it goes on beyond ±180. */
export function unwrapped(points: readonly GroundPoint[]): MapPoint[] {
  let turns = 0;
  let before: number | undefined;
  return points.map(({ latitudeDeg, longitudeDeg }) => {
    if (before !== undefined && longitudeDeg - before > 180) turns -= 360;
    else if (before !== undefined && longitudeDeg - before < -180) turns += 360;
    before = longitudeDeg;
    return [longitudeDeg + turns, -latitudeDeg];
  });
}

/** The `d` of an SVG path through points. */
export function pathThrough(points: readonly MapPoint[], isClosed = false): string {
  if (points.length === 0) return "";
  return `M${points.map(([x, y]) => `${round(x)},${round(y)}`).join("L")}${isClosed ? "Z" : ""}`;
}

/** The dark half of the Earth as a closed line, from the point that has the Sun in the zenith. */
export function nightOutline({ latitudeDeg, longitudeDeg }: GroundPoint): MapPoint[] {
  // At an equinox the tangent is 0, and the terminator a meridian: a hundredth of a degree beside it looks the same.
  const declination = Math.abs(latitudeDeg) < 0.01 ? 0.01 : latitudeDeg;
  const darkPole = declination > 0 ? 90 : -90; // in y, which grows southwards
  const edge: MapPoint[] = [];
  for (let x = -180; x <= 180; x += 2) {
    const latitude = Math.atan(-Math.cos((x - longitudeDeg) * radian) / Math.tan(declination * radian)) / radian;
    edge.push([x, -latitude]);
  }
  return [[-180, darkPole], ...edge, [180, darkPole]];
}

/** From where a satellite at this height can be seen above the horizon, as a closed line. */
export function footprintOutline({ latitudeDeg, longitudeDeg }: GroundPoint, altitudeKm: number): MapPoint[] {
  const radius = Math.acos(earthRadiusKm / (earthRadiusKm + altitudeKm));
  const latitude = latitudeDeg * radian;
  const circle = Array.from({ length: 73 }, (_, i): GroundPoint => {
    const bearing = i * 5 * radian;
    const sine = Math.sin(latitude) * Math.cos(radius) + Math.cos(latitude) * Math.sin(radius) * Math.cos(bearing);
    const east = Math.atan2(
      Math.sin(bearing) * Math.sin(radius) * Math.cos(latitude),
      Math.cos(radius) - Math.sin(latitude) * sine,
    );
    return { latitudeDeg: Math.asin(sine) / radian, longitudeDeg: longitudeDeg + east / radian };
  });
  return circle.map(({ latitudeDeg: y, longitudeDeg: x }) => [x, -y]);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
