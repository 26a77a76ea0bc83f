// node publisher.ts --url http://127.0.0.1:8080 [--at 2026-08-26T00:00:00Z]: the backend. Computes where the station is every second and
// publishes it through the control API.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { createControlClient } from "@fanfare/sdk-node/control";
import { developmentCredentialsOrExit } from "./development-credentials.ts";
import { readElementSet } from "./element-set.ts";
import { GroundTrackSchema, PositionSchema } from "./gen/iss/v1/telemetry_pb.ts";
import { processSignal } from "./process-signal.ts";
import { positionAt, telemetryGroup, trackAt } from "./telemetry.ts";

const { values } = parseArgs({
  options: { url: { type: "string", default: "http://127.0.0.1:8080" }, at: { type: "string" } },
});
const url = values.url;
const signal = processSignal();
const control = createControlClient({ url, apiKey: (await developmentCredentialsOrExit(url, "backend")).apiKey });
const elements = readElementSet();
/** --at begins at another time; from there on it passes as always. */
const aheadMs = values.at === undefined ? 0 : Date.parse(values.at) - Date.now();
const now = () => new Date(Date.now() + aheadMs);
positionAt(elements, now()); // ends this at once if the elements are too old to mean anything
const group = { kind: { case: "group", value: telemetryGroup } } as const;

await Promise.all([everySecond(publishPosition), everySecond(publishTrack, 60), trackForNewcomers()]);

/** Only the newest position is of use: a slow reader gets that one, and old ones go away unread. */
async function publishPosition(): Promise<void> {
  const payload = payloadOf(PositionSchema, positionAt(elements, now()));
  const publication = { channels: [group], payload, volatile: true, conflationKey: "position", ttlMs: 5000 };
  await control.publish({ publications: [publication] }, { signal });
}

async function publishTrack(): Promise<void> {
  const payload = payloadOf(GroundTrackSchema, trackAt(elements, now()));
  await control.publish({ publications: [{ channels: [group], payload }] }, { signal });
}

/** Live messages are not kept, so whoever subscribes is sent the track at once. */
async function trackForNewcomers(): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { event } of control.watchEvents({ group: telemetryGroup }, { signal })) {
        if (event?.event.case !== "subscribed") continue;
        const player = { kind: { case: "player", value: event.event.value.playerId } } as const;
        const payload = payloadOf(GroundTrackSchema, trackAt(elements, now()));
        await control.publish({ publications: [{ channels: [player], payload }] }, { signal });
      }
    } catch (error) {
      tell(error);
    }
    await pause(1000);
  }
}

/** Does something now and at every so many full seconds. What fails is told, and tried again at the next. */
async function everySecond(action: () => Promise<void>, seconds = 1): Promise<void> {
  const everyMs = seconds * 1000;
  while (!signal.aborted) {
    await action().catch(tell);
    await pause(everyMs - (now().getTime() % everyMs));
  }
}

function payloadOf<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>) {
  return { type: schema.typeName, data: { case: "binary", value: toBinary(schema, message) } } as const;
}

function pause(ms: number): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => {});
}

function tell(error: unknown): void {
  if (!signal.aborted) console.error(`publisher: ${error instanceof Error ? error.message : String(error)}`);
}
