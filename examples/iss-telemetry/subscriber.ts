// node subscriber.ts --url http://127.0.0.1:8080 [--json]: prints where the station is as a player of the game would see it.
import { parseArgs } from "node:util";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { connect } from "@fanfare/sdk-node";
import { developmentCredentials, developmentCredentialsOrExit } from "./development-credentials.ts";
import { PositionSchema } from "./gen/iss/v1/telemetry_pb.ts";
import { groundDistanceKm } from "./great-circle.ts";
import { processSignal } from "./process-signal.ts";

const { values } = parseArgs({
  options: { url: { type: "string", default: "http://127.0.0.1:8080" }, json: { type: "boolean", default: false } },
});
const signal = processSignal();
// A client goes on trying where nobody answers; a person wants to know.
await developmentCredentialsOrExit(values.url, "mission-control");
await using client = await connect({
  url: values.url,
  getToken: async () => (await developmentCredentials(values.url, "mission-control")).token,
  signal,
});
const group = await client.join("iss:telemetry", { signal });

let before: { latitudeDeg: number; longitudeDeg: number } | undefined;
let groundKm = 0;
for await (const { value, meta } of group.messages(PositionSchema, { signal })) {
  const { at, subpoint, altitudeKm, speedKmS, sunlit } = value;
  if (at === undefined || subpoint === undefined) continue;
  groundKm += before === undefined ? 0 : groundDistanceKm(before, subpoint);
  before = subpoint;
  const time = timestampDate(at).toISOString();
  const { latitudeDeg, longitudeDeg } = subpoint;
  if (values.json) {
    const sentAt = meta.sentAt.toISOString();
    console.log(JSON.stringify({ time, sentAt, latitudeDeg, longitudeDeg, altitudeKm, speedKmS, sunlit, groundKm }));
    continue;
  }
  const columns = [
    time.slice(11, 19),
    `lat ${latitudeDeg.toFixed(3).padStart(7)}°`,
    `lon ${longitudeDeg.toFixed(3).padStart(8)}°`,
    `${altitudeKm.toFixed(1)} km up`,
    `${speedKmS.toFixed(3)} km/s`,
    `${groundKm.toFixed(1).padStart(7)} km over ground`,
    sunlit ? "sunlit" : "in shadow",
  ];
  console.log(columns.join("  "));
}
