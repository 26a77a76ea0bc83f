import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BatchSchema } from "@fanfare/proto/cluster/v1alpha";
import { ClientFramesSchema, type Message, MessageSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { recordCost } from "../../../server/src/router/links/batch.ts";
import { decodeBatch } from "../../../server/src/router/links/batch-decoding.ts";
import { encodeBatch, encodeHead } from "../../../server/src/router/links/batch-encoding.ts";
import { encodeFrame, encodeMessageBody, messageFrameBytes } from "../../../server/src/wire/frame-encoding.ts";
import { sampleServerFrames, sampleServerFramesBytes } from "../contenders/wire-sample.ts";
import { walkServerFrames } from "../load/server-frame-walker.ts";
import { groupFanout } from "../scenarios/group-fanout.ts";

/** One path to measure; what it returns keeps the work from being optimised away. */
export interface MicroCase {
  readonly name: string;
  readonly run: () => number;
}

/** The paths that the server takes for every publish, and the plain way of doing the same beside them. */
export function microCases(): MicroCase[] {
  const message = sampleMessage();
  const publishFrames = samplePublish(message);
  const publishBytes = toBinary(ClientFramesSchema, publishFrames);
  const { $typeName: _, $unknown: __, ...fields } = message;
  const bodyInit = {
    ...fields,
    channel: message.channel!,
    payload: message.payload,
    seq: Number(message.seq),
    sentAtMs: Date.now(),
    expiresAtMs: 0,
  };
  const body = encodeMessageBody(bodyInit);
  const wire = sampleServerFramesBytes(groupFanout);
  const validate = validatorFor(ClientFramesSchema);
  const ignore = { message: () => {}, other: () => {} };
  return [
    {
      name: "decode ClientFrames with a publish",
      run: () => fromBinary(ClientFramesSchema, publishBytes).frames.length,
    },
    { name: "validate it", run: () => (validate(publishFrames) === undefined ? 1 : 0) },
    { name: "message body: BinaryWriter", run: () => encodeMessageBody(bodyInit).length },
    {
      name: "message body: create + toBinary",
      run: () => toBinary(MessageSchema, create(MessageSchema, { ...fields })).length,
    },
    { name: "frame around a body", run: () => messageFrameBytes(body).length },
    {
      name: "reply by create + toBinary",
      run: () =>
        encodeFrame({
          id: 1_000,
          kind: { case: "reply", value: { result: { case: "publishResult", value: { outcome: 1 } } } },
        }).bytes.length,
    },
    { name: "decode ServerFrames with a message", run: () => fromBinary(ServerFramesSchema, wire).frames.length },
    {
      name: "walk it (load generator)",
      run: () => {
        walkServerFrames(wire, 0, wire.length, ignore);
        return wire.length;
      },
    },
    ...batchCases(),
  ];
}

/** A batch of 16 records of 200 bytes, from node to node. */
function batchCases(): MicroCase[] {
  const records = Array.from({ length: 16 }, (_, i) => ({ bytes: new Uint8Array(200).fill(i) }));
  const recordBytes = records.reduce((sum, { bytes }) => sum + recordCost(bytes.length), 0);
  const [from, to] = [0x1234_5678_9abc_def0n, 0xfedc_ba98_7654_3210n];
  const head = encodeHead(1, from, to);
  const tail = { acknowledged: 100_000, missing: [], credit: 100_000_000, probe: 0, echo: 0 };
  const fields = { revision: 1, from, to, number: 100_000n, acknowledged: 100_000n, credit: 100_000_000n };
  const { bytes: wire } = encodeBatch(head, 100_000, records, recordBytes, undefined, tail);
  return [
    {
      name: "batch of 16 records: by hand",
      run: () => encodeBatch(head, 100_000, records, recordBytes, undefined, tail).bytes.length,
    },
    {
      name: "batch of 16 records: create + toBinary",
      run: () =>
        toBinary(BatchSchema, create(BatchSchema, { ...fields, records: records.map(({ bytes }) => bytes) })).length,
    },
    { name: "decode it by hand", run: () => decodeBatch(wire)?.records.length ?? 0 },
    { name: "decode it by fromBinary", run: () => fromBinary(BatchSchema, wire).records.length },
  ];
}

function sampleMessage(): Message {
  const { kind } = sampleServerFrames(groupFanout).frames[0]!;
  if (kind.case !== "message") throw new Error("the sample is no message");
  return kind.value;
}

function samplePublish({ channel, payload, seq }: Message) {
  return create(ClientFramesSchema, {
    frames: [{ id: 1_000, kind: { case: "publish", value: { channel: channel!, payload: payload!, seq } } }],
  });
}
