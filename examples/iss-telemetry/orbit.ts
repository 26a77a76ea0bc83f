import {
  degreesLat,
  degreesLong,
  eciToGeodetic,
  gstime,
  jday,
  propagate,
  radiansToDegrees,
  shadowFraction,
  sunPos,
} from "satellite.js";
import type { ElementSet } from "./element-set.ts";

/** A point on the ground, in degrees: north and east are positive. */
export interface GroundPoint {
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
}

/** Where a satellite is at one moment. */
export interface OrbitState {
  readonly at: Date;
  /** Right below it. */
  readonly subpoint: GroundPoint;
  /** Above the WGS 84 ellipsoid. */
  readonly altitudeKm: number;
  /** Against the stars. */
  readonly speedKmS: number;
  /** At least a part of the Sun can be seen from there. */
  readonly sunlit: boolean;
  /** Where the Sun stands in the zenith. */
  readonly subsolarPoint: GroundPoint;
}

/** Propagates orbital elements to a moment by SGP4. @throws Error if SGP4 finds that the satellite is down by then */
export function stateAt({ name, epoch, satrec }: ElementSet, at: Date): OrbitState {
  const state = propagate(satrec, at, { communityDecayCheckEnabled: true });
  if (state === null) {
    throw new Error(`by the elements of ${epoch.toISOString()}, ${name} is no longer in orbit: bring newer ones`);
  }
  const siderealTime = gstime(at);
  const { latitude, longitude, height } = eciToGeodetic(state.position, siderealTime);
  const sun = sunPos(jday(at));
  const { x, y, z } = state.velocity;
  return {
    at,
    subpoint: { latitudeDeg: degreesLat(latitude), longitudeDeg: degreesLong(longitude) },
    altitudeKm: height,
    speedKmS: Math.hypot(x, y, z),
    sunlit: shadowFraction(sun.rsun, state.position) < 1,
    subsolarPoint: {
      latitudeDeg: radiansToDegrees(sun.decl),
      longitudeDeg: halfTurn(radiansToDegrees(sun.rtasc - siderealTime)),
    },
  };
}

/** How long one revolution takes, in milliseconds. */
export function periodMs({ satrec }: ElementSet): number {
  return ((2 * Math.PI) / satrec.no) * 60_000; // `no` is in radians a minute
}

/** The points right below a satellite from one moment to another, every `stepMs`, both ends included. */
export function groundTrack(elements: ElementSet, fromMs: number, toMs: number, stepMs: number): GroundPoint[] {
  const steps = Math.ceil((toMs - fromMs) / stepMs);
  return Array.from({ length: steps + 1 }, (_, i) => {
    const atMs = Math.min(fromMs + i * stepMs, toMs);
    return stateAt(elements, new Date(atMs)).subpoint;
  });
}

/** An angle of -180 to 180 degrees. */
function halfTurn(degrees: number): number {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}
