import { ErrorCode } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import { Refusal } from "./refusal.ts";
import type { Settings } from "./settings.ts";
import { TokenBucket } from "./token-bucket.ts";

/** How fast one connection may send. */
export class InboundRates {
  readonly #limits: Settings["limits"];
  readonly #breaks: Breaks;
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(limits: Settings["limits"], breaks: Breaks) {
    this.#limits = limits;
    this.#breaks = breaks;
    this.#frames = new TokenBucket(limits.framesPerSecond, limits.framesPerSecond);
    this.#bytes = new TokenBucket(limits.bytesPerSecond, Math.max(limits.bytesPerSecond, 2 * limits.maxFrameBytes));
  }

  /** Counts a WebSocket message. Past the rate its frames are refused; in a flood the connection has to end. */
  charge(frames: number, bytes: number): { readonly refusal: Refusal; readonly isFlood: boolean } | undefined {
    if (this.#breaks.has("frames-unlimited")) return undefined;
    const frameCredit = this.#frames.take(frames);
    const byteCredit = this.#bytes.take(bytes);
    if (frameCredit >= 0 && byteCredit >= 0) return undefined;
    const isFlood = frameCredit < -this.#limits.framesPerSecond || byteCredit < -this.#limits.bytesPerSecond;
    const refusal = new Refusal(ErrorCode.RATE_LIMITED, "too many frames or bytes", "", 100);
    return { refusal, isFlood: isFlood && !this.#breaks.has("flood-never-closed") };
  }
}
