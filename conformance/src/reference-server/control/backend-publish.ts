import { setImmediate } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Publication, PublishRequest, PublishResponseSchema } from "@fanfare/proto/control/v1";
import type { PublishResult } from "@fanfare/proto/v1";
import type { App } from "../app.ts";
import { deliver } from "../deliver.ts";
import type { ReferenceServer } from "../server.ts";

type Response = MessageInitShape<typeof PublishResponseSchema>;

/** Publications between which sockets get their turn: fewer bytes than a send queue holds. */
const atOnce = 8;

/** The backend publishes. */
export async function publishAll(app: App, request: PublishRequest, server: ReferenceServer): Promise<Response> {
  const results: { results: PublishResult[] }[] = [];
  for (const [i, one] of request.publications.entries()) {
    if (i % atOnce === 0) await setImmediate();
    results.push({ results: publishOne(app, one, server) });
  }
  return { results };
}

function publishOne(app: App, publication: Publication, { producer }: ReferenceServer): PublishResult[] {
  const { channels, payload, volatile, conflationKey, ttlMs, wantReport } = publication;
  return channels.map((channel) => {
    const identity = { origin: producer.origin, seq: ++producer.seq, from: "", session: undefined };
    const body = { payload, volatile, conflationKey, ttlMs, wantReport, excludeSelf: false };
    return deliver(app, { ...identity, ...body, channel });
  });
}
