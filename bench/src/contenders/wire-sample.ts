import { create, toBinary } from "@bufbuild/protobuf";
import { type ServerFrames, ServerFramesSchema } from "@fanfare/proto/v1";
import { playerOf } from "../load/players.ts";
import { stampedPayload } from "../load/stamp.ts";
import type { Scenario } from "../scenarios/scenario.ts";

/** The frame in which Fanfare sends a message of this scenario to its members. */
export function sampleServerFrames(scenario: Scenario): ServerFrames {
  return create(ServerFramesSchema, {
    frames: [
      {
        kind: {
          case: "message",
          value: {
            channel: { kind: { case: "group", value: scenario.group } },
            origin: 0x1234_5678_9abc_def0n,
            seq: 1_000n,
            payload: {
              data: {
                case: "binary",
                value: stampedPayload(scenario.payloadBytes, { sentAtMs: 0, publisher: 0, counter: 0 }),
              },
            },
            from: playerOf(0),
            sentAtMs: 1_800_000_000_000n,
          },
        },
      },
    ],
  });
}

/** The same, encoded: what one message of Fanfare is on the wire, without the WebSocket header. */
export function sampleServerFramesBytes(scenario: Scenario): Uint8Array {
  return toBinary(ServerFramesSchema, sampleServerFrames(scenario));
}
