import type { Clock } from "../clock.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { type FrameFormat, joinFrames } from "./join-frames.ts";

/**
 * The frames that a connection was given since its last write, as a node of a tree: a frame, and the batch before it.
 *
 * Connections that were given the same frames in the same order share the same node, and with it the joined bytes, so a fan-out to a
 * thousand members is joined once and not a thousand times. Only the child made last is looked for, because a fan-out visits
 * its members one after the other. A tree lives for one flush.
 */
export class Batch {
  readonly parent: Batch | undefined;
  readonly frame: OutboundFrame | undefined;
  /** Frames in it. */
  readonly count: number;
  /** Their bytes in binary form. */
  readonly byteLength: number;
  #lastChild: Batch | undefined;
  #binary: Buffer | undefined;
  #text: Buffer | undefined;

  /** Without arguments: the empty batch, root of a tree. */
  constructor(parent?: Batch, frame?: OutboundFrame) {
    this.parent = parent;
    this.frame = frame;
    this.count = parent === undefined ? 0 : parent.count + 1;
    this.byteLength = parent === undefined ? 0 : parent.byteLength + (frame?.bytes.length ?? 0);
  }

  /** The batch with one frame more. */
  append(frame: OutboundFrame): Batch {
    const last = this.#lastChild;
    if (last !== undefined && last.frame === frame) return last;
    this.#lastChild = new Batch(this, frame);
    return this.#lastChild;
  }

  /** The frames in their order, without expired ones; of volatile ones with a conflation key, only the newest of each. */
  frames(nowMs: number): OutboundFrame[] {
    const frames: OutboundFrame[] = [];
    let seen: Set<string> | undefined;
    for (let node: Batch | undefined = this; node?.frame !== undefined; node = node.parent) {
      const conflation = node.frame.volatileTraits?.conflation;
      if (conflation !== undefined) {
        seen ??= new Set();
        if (seen.has(conflation)) continue;
        seen.add(conflation);
      }
      const { expiresAtMs, substitute } = node.frame;
      if (expiresAtMs === 0 || expiresAtMs > nowMs) frames.push(node.frame);
      else if (substitute !== undefined) frames.push(substitute);
    }
    return frames.reverse();
  }

  /**
   * The frames as WebSocket messages, made at the first call and shared from then on; empty if all have expired.
   * @param clock tells the wall clock, for what expires
   */
  wire(format: FrameFormat, clock: Pick<Clock, "nowMs">): Buffer {
    if (format === "proto") {
      this.#binary ??= joinFrames(this.frames(clock.nowMs()), format);
      return this.#binary;
    }
    this.#text ??= joinFrames(this.frames(clock.nowMs()), format);
    return this.#text;
  }
}
