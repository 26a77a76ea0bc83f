import type { ResolvedLimits } from "../config/resolved-limits.ts";
import { TokenBucket } from "../limits/token-bucket.ts";

/** What is done with what came in. */
export type InboundVerdict = "ok" | "close" | { readonly retryAfterMs: number };

/**
 * How much one connection may send. Past the rates its requests are answered with RATE_LIMITED; when it is a whole second in debt it
 * is closed, because answering errors costs as well.
 */
export class InboundLimits {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #maxFrameDebt: number;
  readonly #maxByteDebt: number;

  constructor({ framesPerSecond, bytesPerSecond, maxFrameBytes }: ResolvedLimits, nowMs: number) {
    const byteBurst = Math.max(bytesPerSecond, 2 * maxFrameBytes);
    this.#frames = new TokenBucket(framesPerSecond, framesPerSecond, nowMs);
    this.#bytes = new TokenBucket(bytesPerSecond, byteBurst, nowMs);
    this.#maxFrameDebt = framesPerSecond;
    this.#maxByteDebt = byteBurst;
  }

  charge(nowMs: number, frames: number, bytes: number): InboundVerdict {
    const frameCredit = this.#frames.charge(nowMs, frames);
    const byteCredit = this.#bytes.charge(nowMs, bytes);
    if (frameCredit >= 0 && byteCredit >= 0) return "ok";
    if (frameCredit < -this.#maxFrameDebt || byteCredit < -this.#maxByteDebt) return "close";
    return { retryAfterMs: Math.max(this.#frames.waitMs(nowMs), this.#bytes.waitMs(nowMs)) };
  }
}
