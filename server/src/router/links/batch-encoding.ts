import { create, toBinary } from "@bufbuild/protobuf";
import { LossSchema } from "@fanfare/proto/cluster/v1alpha";
import { type BatchTail, type LostChannels, recordCost } from "./batch.ts";
import { varintLength, writeVarint } from "./varint.ts";

/** An encoded batch. */
export interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** Its part without the tail, for {@link encodeAgain}. */
  readonly body: Uint8Array;
}

const toTag = (3 << 3) | 1;
const numberTag = (4 << 3) | 0;
const acknowledgedTag = (5 << 3) | 0;
const missingTag = (6 << 3) | 2;
const creditTag = (7 << 3) | 0;
const recordTag = (8 << 3) | 2;
const lossTag = (9 << 3) | 2;
const probeTag = (10 << 3) | 0;
const echoTag = (11 << 3) | 0;
const sharedByTag = (12 << 3) | 2;
const elsewhereTag = (13 << 3) | 0;

/** What all batches of a link begin with. */
export function encodeHead(revision: number, from: bigint, to: bigint): Uint8Array {
  const bytes = Buffer.alloc(1 + varintLength(revision) + 18);
  bytes[0] = (1 << 3) | 0;
  const at = writeVarint(bytes, 1, revision);
  bytes[at] = (2 << 3) | 1;
  bytes.writeBigUInt64LE(from, at + 1);
  bytes[at + 9] = (3 << 3) | 1;
  bytes.writeBigUInt64LE(to, at + 10);
  return bytes;
}

/** A `Loss` as batches carry it. */
export function encodeLoss(lost: LostChannels): Uint8Array {
  const loss =
    lost === "all"
      ? { all: true }
      : { channels: lost.map(({ appId, key }) => ({ $typeName: appChannelName, appId, channelKey: key })) };
  return toBinary(LossSchema, create(LossSchema, loss));
}

const appChannelName = "fanfare.cluster.v1alpha.AppChannel" as const;

/**
 * Encodes a batch, copying each record once. By hand, because every record between nodes comes through here; `batch-encoding.spec.ts` holds it against the
 * generated code. The tail comes last, so that a batch that is sent again can have another one.
 * @param recordBytes the sum of the records' {@link recordCost}
 * @param loss encoded
 */
export function encodeBatch(
  head: Uint8Array,
  number: number,
  records: readonly { readonly bytes: Uint8Array }[],
  recordBytes: number,
  loss: Uint8Array | undefined,
  tail: BatchTail,
): EncodedBatch {
  const numberLength = number === 0 ? 0 : 1 + varintLength(number);
  const lossLength = loss === undefined ? 0 : recordCost(loss.length);
  const bodyLength = head.length + numberLength + lossLength + recordBytes;
  const bytes = Buffer.allocUnsafe(bodyLength + tailLength(tail));
  bytes.set(head);
  let at = head.length;
  if (number !== 0) at = writeNumber(bytes, at, numberTag, number);
  if (loss !== undefined) at = writeBytes(bytes, at, lossTag, loss);
  for (const record of records) at = writeBytes(bytes, at, recordTag, record.bytes);
  writeTail(bytes, at, tail);
  return { bytes, body: bytes.subarray(0, bodyLength) };
}

/** A batch of one link, as it stands in one that goes to several. */
export interface SharedBy {
  readonly to: bigint;
  readonly number: number;
  /** Undefined: there is nothing to say about the other direction. */
  readonly tail: BatchTail | undefined;
  /** What the records count for one whom they are not for; 0: they are for it. */
  readonly elsewhere: number;
}

/**
 * Encodes one batch for several incarnations, copying each record once.
 * @param head with 0 as whom it is for
 * @param number counts what was published to all
 * @param recordBytes the sum of the records' {@link recordCost}
 */
export function encodeShared(
  head: Uint8Array,
  number: number,
  records: readonly { readonly bytes: Uint8Array }[],
  recordBytes: number,
  sharedBy: readonly SharedBy[],
): Uint8Array {
  const length = sharedBy.reduce((sum, one) => sum + recordCost(sharedByLength(one)), 0);
  const bytes = Buffer.allocUnsafe(head.length + numberLength(number) + recordBytes + length);
  bytes.set(head);
  let at = writeNumber(bytes, head.length, numberTag, number);
  for (const record of records) at = writeBytes(bytes, at, recordTag, record.bytes);
  for (const one of sharedBy) {
    bytes[at] = sharedByTag;
    at = writeVarint(bytes, at + 1, sharedByLength(one));
    bytes[at] = toTag;
    bytes.writeBigUInt64LE(one.to, at + 1);
    at = writeNumber(bytes, at + 9, numberTag, one.number);
    if (one.elsewhere !== 0) at = writeNumber(bytes, at, elsewhereTag, one.elsewhere);
    if (one.tail === undefined) continue;
    writeTail(bytes, at, one.tail);
    at += tailLength(one.tail);
  }
  return bytes;
}

function sharedByLength({ number, tail, elsewhere }: SharedBy): number {
  return 9 + numberLength(number) + numberLength(elsewhere) + (tail === undefined ? 0 : tailLength(tail));
}

/** Encodes a batch without records, for a peer whom those of a shared one were not for: they count against its credit all the same. */
export function encodeElsewhere(head: Uint8Array, number: number, elsewhere: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(head.length + numberLength(number) + numberLength(elsewhere));
  bytes.set(head);
  writeNumber(bytes, writeNumber(bytes, head.length, numberTag, number), elsewhereTag, elsewhere);
  return bytes;
}

/** Encodes a batch another time, with what is to be said by now. */
export function encodeAgain(body: Uint8Array, tail: BatchTail): Uint8Array {
  const bytes = Buffer.allocUnsafe(body.length + tailLength(tail));
  bytes.set(body);
  writeTail(bytes, body.length, tail);
  return bytes;
}

function tailLength({ acknowledged, missing, credit, probe, echo }: BatchTail): number {
  let length = numberLength(acknowledged) + numberLength(credit) + numberLength(probe) + numberLength(echo);
  if (missing.length > 0) length += recordCost(packedLength(missing));
  return length;
}

function writeTail(bytes: Uint8Array, from: number, { acknowledged, missing, credit, probe, echo }: BatchTail): void {
  let at = from;
  if (acknowledged !== 0) at = writeNumber(bytes, at, acknowledgedTag, acknowledged);
  if (missing.length > 0) {
    bytes[at++] = missingTag;
    at = writeVarint(bytes, at, packedLength(missing));
    for (const number of missing) at = writeVarint(bytes, at, number);
  }
  if (credit !== 0) at = writeNumber(bytes, at, creditTag, credit);
  if (probe !== 0) at = writeNumber(bytes, at, probeTag, probe);
  if (echo !== 0) writeNumber(bytes, at, echoTag, echo);
}

/** With its tag; 0 takes up nothing. */
function numberLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

function packedLength(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + varintLength(number), 0);
}

function writeNumber(bytes: Uint8Array, at: number, tag: number, value: number): number {
  bytes[at] = tag;
  return writeVarint(bytes, at + 1, value);
}

function writeBytes(bytes: Uint8Array, at: number, tag: number, value: Uint8Array): number {
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, value.length);
  bytes.set(value, start);
  return start + value.length;
}
