import type { Scenario } from "./scenario.ts";

/** Many messages to each member: only joining them into fewer writes gets under the floor. */
export const firehose: Scenario = {
  name: "firehose",
  description: "one group of 100 members, 20 of them publish 2,000 messages/s in all, of 128 B",
  group: "bench:arena",
  members: 100,
  publishers: 20,
  messagesPerSecond: 2_000,
  payloadBytes: 128,
  maxTimesFloor: 0.5,
};
