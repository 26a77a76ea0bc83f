import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Hello, HelloSchema, type Subscribe } from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** Features that this client serves. */
export const servedFeatures: readonly string[] = [
  ...["resume", "hand_over", "presence", "report", "server_rpc", "client_rpc", "durable", "history", "cursor"],
];

/** What a hello is made from. */
export interface HelloParts {
  readonly token: string;
  readonly attempt: number;
  readonly subscriptions: Subscribe[];
  readonly resume: MessageInitShape<typeof HelloSchema>["resume"];
  readonly breaks: ClientBreaks;
}

/** The first frame of a connection. */
export function helloOf({ token, attempt, subscriptions, resume, breaks }: HelloParts): Hello {
  return create(HelloSchema, {
    token,
    minRevision: 1,
    maxRevision: 1,
    features: breaks.has("feature-that-is-none") ? [...servedFeatures, "teleport"] : [...servedFeatures],
    client: { name: "fanfare-reference-client", version: "1" },
    attempt,
    subscriptions,
    ...(resume === undefined ? {} : { resume }),
  });
}
