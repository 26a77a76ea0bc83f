import type { Scenario } from "./scenario.ts";

/** Few messages to many: nothing to coalesce, so the cost of one write to one socket is what counts. */
export const groupFanout: Scenario = {
  name: "group-fanout",
  description: "one group of 1,000 members, one publisher, 50 messages/s of 128 B",
  group: "bench:arena",
  members: 1_000,
  publishers: 1,
  messagesPerSecond: 50,
  payloadBytes: 128,
  maxTimesFloor: 1.5,
};
