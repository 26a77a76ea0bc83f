import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { type FrameFormat, frameLength } from "./join-frames.ts";

/** What a backlog threw away, and why. */
export interface BacklogCounts {
  /** Volatile, because the bound was reached. */
  dropped: number;
  /** Volatile, because a newer one of the same key came. */
  conflated: number;
  /** Their time to live had passed. */
  expired: number;
}

/** Places that may be empty without being given back. */
const slack = 64;

/**
 * The frames that wait because the socket does not take more. A newer volatile frame replaces the unsent older one of its key, and
 * takes its own place at the end, so that the order of one origin holds.
 */
export class Backlog {
  readonly counts: BacklogCounts = { dropped: 0, conflated: 0, expired: 0 };
  readonly #format: FrameFormat;
  #frames: (OutboundFrame | undefined)[] = [];
  #head = 0;
  /** Position of the unsent frame of a conflation key. */
  #byKey: Map<string, number> | undefined;
  /** Before this position there is nothing volatile. */
  #volatileFrom = 0;
  #count = 0;
  #bytes = 0;

  constructor(format: FrameFormat) {
    this.#format = format;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Places it takes, of frames that wait and of those that are gone. At most twice the frames that wait, and some. */
  get slots(): number {
    return this.#frames.length;
  }

  push(frame: OutboundFrame): void {
    const conflation = frame.volatileTraits?.conflation;
    if (conflation !== undefined) {
      this.#byKey ??= new Map();
      const older = this.#byKey.get(conflation);
      if (older !== undefined && this.#remove(older)) this.counts.conflated++;
      this.#byKey.set(conflation, this.#frames.length);
    }
    this.#frames.push(frame);
    this.#count++;
    this.#bytes += frameLength(frame, this.#format);
    if (this.#frames.length > 2 * this.#count + slack) this.#compact();
  }

  /** Throws volatile frames away, the oldest first, until no more than `maxBytes` are left. False: the rest is still too much. */
  shedVolatile(maxBytes: number): boolean {
    let i = Math.max(this.#head, this.#volatileFrom);
    for (; i < this.#frames.length && this.#bytes > maxBytes; i++) {
      if (this.#frames[i]?.volatileTraits !== undefined && this.#remove(i)) this.counts.dropped++;
    }
    this.#volatileFrom = i;
    return this.#bytes <= maxBytes;
  }

  /** Takes the oldest frames that make one message of so many bytes; expired ones are thrown away. Empty: nothing is left. */
  take(nowMs: number, maxBytes: number): OutboundFrame[] {
    const taken: OutboundFrame[] = [];
    let length = 0;
    while (this.#head < this.#frames.length) {
      const frame = this.#frames[this.#head];
      if (frame !== undefined) {
        const next = frameLength(frame, this.#format);
        if (taken.length > 0 && length + next >= maxBytes) break;
        this.#remove(this.#head);
        const hasExpired = frame.expiresAtMs !== 0 && frame.expiresAtMs <= nowMs;
        if (hasExpired) this.counts.expired++;
        const sent = hasExpired ? frame.substitute : frame;
        if (sent !== undefined) {
          taken.push(sent);
          length += frameLength(sent, this.#format);
        }
      }
      this.#head++;
    }
    if (this.#head > slack && this.#frames.length > 2 * this.#count + slack) this.#compact();
    return taken;
  }

  clear(): void {
    this.#frames = [];
    this.#head = 0;
    this.#volatileFrom = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#byKey = undefined;
  }

  #remove(index: number): boolean {
    const frame = this.#frames[index];
    if (frame === undefined) return false;
    this.#frames[index] = undefined;
    this.#count--;
    this.#bytes -= frameLength(frame, this.#format);
    const conflation = frame.volatileTraits?.conflation;
    if (conflation !== undefined && this.#byKey?.get(conflation) === index) this.#byKey.delete(conflation);
    return true;
  }

  /** Gives back the places of frames that are gone. */
  #compact(): void {
    this.#frames = this.#frames.filter((frame) => frame !== undefined);
    this.#head = 0;
    this.#volatileFrom = 0;
    if (this.#byKey === undefined) return;
    for (const [i, frame] of this.#frames.entries()) {
      const conflation = frame?.volatileTraits?.conflation;
      if (conflation !== undefined) this.#byKey.set(conflation, i);
    }
  }
}
