import type { AppChannel } from "../../broker/route-store.ts";
import { varintLength } from "./varint.ts";

/** What a peer gave up: the channels, or all of them. */
export type LostChannels = readonly AppChannel[] | "all";

/** What a batch says about the link in the other direction, and asks. */
export interface BatchTail {
  readonly acknowledged: number;
  readonly missing: readonly number[];
  readonly credit: number;
  /** 0: none. */
  readonly probe: number;
  /** 0: none. */
  readonly echo: number;
}

/** A batch as it came in; records are views of its bytes. */
export interface DecodedBatch extends BatchTail {
  readonly revision: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly number: number;
  readonly records: readonly Uint8Array[];
  /** What the records count against credit. */
  readonly recordBytes: number;
  readonly loss: LostChannels | undefined;
  /** It came over a lane to which all listen. */
  readonly isShared: boolean;
}

/** What a record counts against credit: its length, and what stands before it in a batch. */
export function recordCost(length: number): number {
  return 1 + varintLength(length) + length;
}
