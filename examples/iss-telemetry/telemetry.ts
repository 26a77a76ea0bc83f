import { create } from "@bufbuild/protobuf";
import { timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ElementSet } from "./element-set.ts";
import { type GroundTrack, GroundTrackSchema, type Position, PositionSchema } from "./gen/iss/v1/telemetry_pb.ts";
import { groundTrack, periodMs, stateAt } from "./orbit.ts";

/** The group that carries the telemetry. */
export const telemetryGroup = "iss:telemetry";

/** Between two points of a track. */
const stepMs = 30_000;

/** Where the station is at a moment, as it is published. */
export function positionAt(elements: ElementSet, at: Date): Position {
  const { subpoint, subsolarPoint, altitudeKm, speedKmS, sunlit } = stateAt(elements, at);
  return create(PositionSchema, { at: timestampFromDate(at), subpoint, altitudeKm, speedKmS, sunlit, subsolarPoint });
}

/** The revolutions before and after a moment, as they are published. */
export function trackAt(elements: ElementSet, at: Date): GroundTrack {
  const nowMs = at.getTime();
  const revolutionMs = periodMs(elements);
  return create(GroundTrackSchema, {
    at: timestampFromDate(at),
    past: groundTrack(elements, nowMs - revolutionMs, nowMs, stepMs),
    future: groundTrack(elements, nowMs, nowMs + revolutionMs, stepMs),
    elementsEpoch: timestampFromMs(elements.epoch.getTime()),
    satellite: elements.name,
  });
}
