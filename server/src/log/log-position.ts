import { create } from "@bufbuild/protobuf";
import { type Position, PositionSchema } from "@fanfare/proto/v1";

/** A position in a channel's log: the state after the entry at `offset`. `fanfare.v1.Position`, with numbers below 2^53. */
export interface LogPosition {
  /** Names one life of the log. A later life of the same channel has a higher one. */
  readonly epoch: number;
  /** 0: before the first entry. */
  readonly offset: number;
  /** Tag of the entry at `offset`, 1 to 2^32 - 1; 0 at offset 0. */
  readonly tag: number;
}

/** A position as it travels. */
export function toWirePosition({ epoch, offset, tag }: LogPosition): Position {
  return create(PositionSchema, { epoch: BigInt(epoch), offset: BigInt(offset), tag });
}

/** A position that has passed the validator, which keeps its numbers below 2^53. */
export function fromWirePosition({ epoch, offset, tag }: Position): LogPosition {
  return { epoch: Number(epoch), offset: Number(offset), tag };
}
