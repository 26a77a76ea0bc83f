import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Channel, connect } from "@fanfare/sdk-browser";
import { type GroundTrack, GroundTrackSchema, type Position, PositionSchema } from "../gen/iss/v1/telemetry_pb.ts";
import { ageNote } from "./age-note.ts";
import { ConnectionPill } from "./connection-pill.ts";
import { Numbers } from "./numbers.ts";
import { WorldMap } from "./world-map.ts";

/** What the server of this page says: where Fanfare is, and a token of a viewer. */
interface Connection {
  readonly url: string;
  readonly token: string;
}

const map = new WorldMap();
byId("map").append(map.root);
const numbers = new Numbers(byId("numbers"));
const pill = new ConnectionPill(byId("connection"));
let received = 0;

const client = await connect({
  url: (await connection()).url,
  getToken: async () => (await connection()).token,
  onStatus: (event) => pill.show(event),
});
listen(client.player); // the track comes here as soon as the publisher sees that this page has joined
const group = await client.join("iss:telemetry");
listen(group);
group.on(PositionSchema, onPosition);
group.on("gap", () => map.gap());

function listen(channel: Channel): void {
  channel.on(GroundTrackSchema, onTrack);
}

function onPosition({ at, subpoint, subsolarPoint, altitudeKm, speedKmS, sunlit }: Position): void {
  if (at === undefined || subpoint === undefined || subsolarPoint === undefined) return;
  map.position({ subpoint, subsolarPoint, altitudeKm });
  numbers.show({ at: timestampDate(at), subpoint, altitudeKm, speedKmS, sunlit }, ++received);
}

function onTrack({ at, past, future, elementsEpoch, satellite }: GroundTrack): void {
  map.track(past, future);
  if (at === undefined || elementsEpoch === undefined) return;
  byId("elements").textContent = ageNote(satellite, timestampDate(elementsEpoch), timestampDate(at));
}

async function connection(): Promise<Connection> {
  const response = await fetch("connection.json");
  if (!response.ok) throw new Error(`no connection.json (HTTP ${response.status})`);
  return (await response.json()) as Connection;
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}
