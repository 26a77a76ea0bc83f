/** A point on the ground, in degrees. */
interface Point {
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
}

const earthRadiusKm = 6371.0088;
const radian = Math.PI / 180;

/** The shortest way over the ground between two points, in kilometres, on a round Earth. */
export function groundDistanceKm(from: Point, to: Point): number {
  const halfLatitude = ((to.latitudeDeg - from.latitudeDeg) * radian) / 2;
  const halfLongitude = ((to.longitudeDeg - from.longitudeDeg) * radian) / 2;
  const cosines = Math.cos(from.latitudeDeg * radian) * Math.cos(to.latitudeDeg * radian);
  const haversine = Math.sin(halfLatitude) ** 2 + cosines * Math.sin(halfLongitude) ** 2;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(haversine)));
}
