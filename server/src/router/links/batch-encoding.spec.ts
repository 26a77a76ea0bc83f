import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Batch, BatchSchema } from "@fanfare/proto/cluster/v1alpha";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatchTail, type LostChannels, recordCost } from "./batch.ts";
import { decodeBatch } from "./batch-decoding.ts";
import { encodeAgain, encodeBatch, encodeElsewhere, encodeHead, encodeLoss, encodeShared } from "./batch-encoding.ts";

const count = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.maxSafeNat(),
  fc.constantFrom(0x7f, 0x80, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const incarnation = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const channel = fc.record({ appId: fc.string(), key: fc.string({ unit: "binary" }) });
const loss: fc.Arbitrary<LostChannels | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant("all" as const),
  fc.array(channel, { minLength: 1, maxLength: 5 }),
);
const tailFields = { acknowledged: count, missing: fc.array(count, { maxLength: 5 }), credit: count };
const tail: fc.Arbitrary<BatchTail> = fc.record({
  ...tailFields,
  probe: count,
  echo: count,
});
const record = fc.uint8Array({ maxLength: 300 });
const batch = fc.record({
  revision: fc.integer({ min: 0, max: 1000 }),
  from: incarnation,
  to: incarnation,
  number: count,
  records: fc.array(record, { maxLength: 6 }),
  loss,
  tail,
});
type BatchParts = typeof batch extends fc.Arbitrary<infer T> ? T : never;

function encoded({ revision, from, to, number, records, loss, tail }: BatchParts) {
  const wrapped = records.map((bytes) => ({ bytes }));
  const recordBytes = records.reduce((sum, { length }) => sum + recordCost(length), 0);
  const lossBytes = loss === undefined ? undefined : encodeLoss(loss);
  return encodeBatch(encodeHead(revision, from, to), number, wrapped, recordBytes, lossBytes, tail);
}

/** The same batch by reflection. */
function reflected({ revision, from, to, number, records, loss, tail }: BatchParts): Batch {
  return create(BatchSchema, {
    revision,
    from,
    to,
    number: BigInt(number),
    records,
    acknowledged: BigInt(tail.acknowledged),
    missing: tail.missing.map(BigInt),
    credit: BigInt(tail.credit),
    probe: BigInt(tail.probe),
    echo: BigInt(tail.echo),
    ...(loss !== undefined && {
      loss: loss === "all" ? { all: true } : { channels: loss.map(({ appId, key }) => ({ appId, channelKey: key })) },
    }),
  });
}

describe("encodeBatch", () => {
  it("means the same as the generated schema, for every batch, and fills its buffer", () => {
    fc.assert(
      fc.property(batch, (parts) => {
        const decoded = fromBinary(BatchSchema, encoded(parts).bytes);
        expect(toBinary(BatchSchema, decoded)).toEqual(toBinary(BatchSchema, reflected(parts)));
      }),
    );
  });

  it("gives a body that can be sent again with another tail", () => {
    fc.assert(
      fc.property(batch, tail, (parts, other) => {
        const again = encodeAgain(encoded(parts).body, other);
        expect(again).toEqual(encoded({ ...parts, tail: other }).bytes);
      }),
    );
  });
});

const number = count.filter((number) => number > 0);
const sharedBy = fc.record({
  to: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  number,
  tail: fc.option(fc.record({ ...tailFields, probe: fc.constant(0), echo: fc.constant(0) }), { nil: undefined }),
  isElsewhere: fc.boolean(),
});
const shared = fc.record({
  from: incarnation,
  number,
  records: fc.array(record, { minLength: 1, maxLength: 6 }),
  parts: fc.uniqueArray(sharedBy, { maxLength: 5, selector: ({ to }) => to }),
});

describe("encodeShared", () => {
  it("means the same as the generated schema, and to each for whom it is the same as a batch of its own", () => {
    fc.assert(
      fc.property(shared, ({ from, number, records, parts }) => {
        const wrapped = records.map((bytes) => ({ bytes }));
        const recordBytes = records.reduce((sum, { length }) => sum + recordCost(length), 0);
        const elsewhereOf = ({ isElsewhere }: { isElsewhere: boolean }) => (isElsewhere ? recordBytes : 0);
        const bytes = encodeShared(
          encodeHead(2, from, 0n),
          number,
          wrapped,
          recordBytes,
          parts.map((part) => ({ ...part, elsewhere: elsewhereOf(part) })),
        );
        const reflected = create(BatchSchema, {
          ...{ revision: 2, from, number: BigInt(number), records },
          sharedBy: parts.map((part) => ({
            ...{ to: part.to, number: BigInt(part.number), elsewhere: BigInt(elsewhereOf(part)) },
            acknowledged: BigInt(part.tail?.acknowledged ?? 0),
            missing: part.tail?.missing.map(BigInt) ?? [],
            credit: BigInt(part.tail?.credit ?? 0),
          })),
        });
        expect(toBinary(BatchSchema, fromBinary(BatchSchema, bytes))).toEqual(toBinary(BatchSchema, reflected));
        for (const part of parts) {
          const tail = part.tail ?? { acknowledged: 0, missing: [], credit: 0, probe: 0, echo: 0 };
          const head = encodeHead(2, from, part.to);
          const own = part.isElsewhere
            ? encodeAgain(encodeElsewhere(head, part.number, recordBytes), tail)
            : encodeBatch(head, part.number, wrapped, recordBytes, undefined, tail).bytes;
          expect(decodeBatch(bytes, part.to)).toEqual({ ...decodeBatch(own, part.to), isShared: true });
        }
        expect(decodeBatch(bytes)).toMatchObject({ to: 0n, number, recordBytes, isShared: false });
      }),
    );
  });
});

describe("decodeBatch", () => {
  it("reads what the generated schema writes, with fields that nobody knows", () => {
    const unknown = Buffer.from([((99 << 3) & 0x7f) | 0x80, 6, 0x05, ((100 << 3) & 0x7f) | 0x82, 6, 1, 0xff]);
    fc.assert(
      fc.property(batch, (parts) => {
        const decoded = decodeBatch(new Uint8Array(Buffer.concat([toBinary(BatchSchema, reflected(parts)), unknown])));
        expect(decoded).toEqual({
          revision: parts.revision,
          from: parts.from,
          to: parts.to,
          number: parts.number,
          records: parts.records,
          recordBytes: parts.records.reduce((sum, { length }) => sum + recordCost(length), 0),
          isShared: false,
          loss: parts.loss,
          ...parts.tail,
        });
      }),
    );
  });

  it("takes nothing that is cut off or arbitrary for more than it is", () => {
    fc.assert(
      fc.property(batch, fc.nat(), (parts, cut) => {
        const { bytes } = encoded(parts);
        const decoded = decodeBatch(bytes.subarray(0, cut % Math.max(1, bytes.length)));
        expect((decoded?.records.length ?? 0) <= parts.records.length).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodeBatch(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses numbers that it could not tell apart", () => {
    const bytes = toBinary(BatchSchema, create(BatchSchema, { revision: 1, number: 2n ** 53n }));
    expect(decodeBatch(bytes)).toBeUndefined();
  });
});
