import type { Channel, Payload } from "@fanfare/proto/v1";

/** A message as it is sent, and stored. */
export interface MessageBody {
  readonly channel: Channel;
  readonly origin: bigint;
  readonly seq: bigint;
  readonly from: string;
  readonly sentAtMs: bigint;
  /** 0: never. */
  readonly expiresAtMs: bigint;
  readonly volatile: boolean;
  readonly conflationKey: string;
  readonly payload?: Payload;
  readonly log?: { readonly offset: bigint; readonly tag: number; readonly previousTag: number };
}

/** Whether its time to live is over. */
export function isExpired({ expiresAtMs }: MessageBody): boolean {
  return expiresAtMs !== 0n && expiresAtMs <= BigInt(Date.now());
}
