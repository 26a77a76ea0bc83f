import type { Clock } from "../clock.ts";
import type { Counters } from "../observe/counters.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { Backlog } from "./backlog.ts";
import type { Batch } from "./batch.ts";
import type { Flushable, FlushScheduler } from "./flush-scheduler.ts";
import { type FrameFormat, joinFrames, maxJoinedBytes } from "./join-frames.ts";

/** The part of a `net.Socket` that is written to. */
export interface WritableSocket {
  /** Bytes that the kernel has not taken yet. */
  readonly writableLength: number;
  write(data: Uint8Array, callback?: (error?: Error | null) => void): boolean;
}

/** What a send queue is made of. */
export interface SendQueueOptions {
  readonly socket: WritableSocket;
  readonly format: FrameFormat;
  readonly maxBytes: number;
  readonly scheduler: FlushScheduler;
  readonly clock: Clock;
  readonly counters: Counters;
  /** The bound was reached with frames that must not be dropped. Called once; the queue is closed by then. */
  readonly onOverflow: () => void;
  /** A frame could not be written, for instance because its bytes have no JSON form. Called once; the queue is closed by then. */
  readonly onFault: (reason: unknown) => void;
}

const nothing = new Uint8Array(0);
/** Written at once to a socket that had to wait: little enough that a slow link shows progress before it counts as stalled. */
const slowWriteBytes = 16 * 1024;

/**
 * What waits for one socket.
 *
 * | state | frame given | left by |
 * |---|---|---|
 * | open | joins the pending batch, written at the next flush | the kernel does not take all of a write -> blocked |
 * | blocked | joins the backlog | the kernel has taken everything -> the backlog is written, 16 KiB at a time -> open |
 * | closed | is ignored | - |
 *
 * Bounded in bytes: past `maxBytes` volatile frames are dropped, oldest first, and counted to the client in `dropped`; if what is
 * left is still too much the queue overflows.
 */
export class SendQueue implements Flushable {
  /** When something was written last, by the monotonic clock. */
  lastWriteMs: number;
  readonly #options: SendQueueOptions;
  readonly #backlog: Backlog;
  #pending: Batch | undefined;
  #scheduled = false;
  #blockedSinceMs: number | undefined;
  #closed = false;
  #untold = 0;
  #onEmpty: (() => void) | undefined;
  #unblocked: PromiseWithResolvers<void> | undefined;

  constructor(options: SendQueueOptions) {
    this.#options = options;
    this.#backlog = new Backlog(options.format);
    this.lastWriteMs = options.clock.monotonicMs();
  }

  /** Bytes that wait, in the kernel's sense too. */
  get queuedBytes(): number {
    return this.#backlog.byteLength + (this.#pending?.byteLength ?? 0) + this.#options.socket.writableLength;
  }

  /** How long nothing has left although something waits, in milliseconds. */
  stalledMs(nowMs: number): number {
    return this.#blockedSinceMs === undefined ? 0 : nowMs - this.#blockedSinceMs;
  }

  /** Never throws: what is wrong with one frame or socket is no matter of the others that are served in the same turn. */
  enqueue(frame: OutboundFrame): void {
    if (this.#closed) return;
    try {
      this.#enqueue(frame);
    } catch (reason) {
      this.#fail(reason);
    }
  }

  #enqueue(frame: OutboundFrame): void {
    if (this.#blockedSinceMs !== undefined) return this.#wait(frame);
    const { scheduler } = this.#options;
    const batch = (this.#pending ?? scheduler.emptyBatch).append(frame);
    this.#pending = batch;
    if (!this.#scheduled) {
      this.#scheduled = true;
      scheduler.add(this);
    } else if (batch.byteLength >= maxJoinedBytes) this.#writePending(this.#options.clock.monotonicMs());
  }

  /** Never throws. */
  flush(nowMs: number): void {
    this.#scheduled = false;
    try {
      this.#writePending(nowMs);
    } catch (reason) {
      this.#fail(reason);
    }
  }

  #fail(reason: unknown): void {
    this.destroy();
    this.#options.onFault(reason);
  }

  /** Settles when the kernel has taken what waits; at once if nothing does, or the queue is closed. */
  writable(): Promise<void> {
    if (this.#blockedSinceMs === undefined || this.#closed) return Promise.resolve();
    this.#unblocked ??= Promise.withResolvers();
    return this.#unblocked.promise;
  }

  /** Takes no more frames, and calls back when everything is with the kernel. */
  finish(onEmpty: () => void): void {
    if (this.#closed) return;
    this.flush(this.#options.clock.monotonicMs());
    this.#closed = true;
    if (this.#blockedSinceMs === undefined) onEmpty();
    else this.#onEmpty = onEmpty;
  }

  /** Throws away what waits. */
  destroy(): void {
    this.#closed = true;
    this.#pending = undefined;
    this.#onEmpty = undefined;
    this.#blockedSinceMs = undefined;
    this.#account(() => this.#backlog.clear());
    this.#tellWritable();
  }

  #tellWritable(): void {
    this.#unblocked?.resolve();
    this.#unblocked = undefined;
  }

  #writePending(nowMs: number): void {
    const batch = this.#pending;
    if (batch === undefined) return;
    this.#pending = undefined;
    const { clock, format } = this.#options;
    if (this.#blockedSinceMs !== undefined) for (const frame of batch.frames(clock.nowMs())) this.#wait(frame);
    else this.#write(batch.wire(format, clock), nowMs);
  }

  #write(data: Buffer, nowMs: number): void {
    if (data.length === 0) return;
    const { socket, counters } = this.#options;
    socket.write(data);
    this.lastWriteMs = nowMs;
    counters.writes++;
    counters.bytesOut += data.length;
    if (socket.writableLength === 0) return;
    this.#blockedSinceMs = nowMs;
    // An empty write calls back when all before it has left; `drain` is not told below the high-water mark.
    socket.write(nothing, () => {
      try {
        this.#unblock();
      } catch (reason) {
        this.#fail(reason);
      }
    });
  }

  #unblock(): void {
    if (this.#blockedSinceMs === undefined) return; // destroyed meanwhile
    this.#blockedSinceMs = undefined;
    const { clock, format } = this.#options;
    const nowMs = clock.monotonicMs();
    while (this.#blockedSinceMs === undefined) {
      const frames = this.#account(() => this.#backlog.take(clock.nowMs(), slowWriteBytes));
      if (this.#untold > 0) frames.unshift(this.#droppedFrame());
      if (frames.length === 0) break;
      this.#write(joinFrames(frames, format), nowMs);
    }
    if (this.#blockedSinceMs === undefined) {
      this.#tellWritable();
      this.#onEmpty?.();
      this.#onEmpty = undefined;
    }
  }

  #wait(frame: OutboundFrame): void {
    const { maxBytes } = this.#options;
    const room = maxBytes - this.#options.socket.writableLength;
    const fits = this.#account(() => {
      this.#backlog.push(frame);
      return this.#backlog.byteLength <= room || this.#backlog.shedVolatile(room);
    });
    if (fits) return;
    this.destroy();
    this.#options.onOverflow();
  }

  #droppedFrame(): OutboundFrame {
    const count = BigInt(this.#untold);
    this.#untold = 0;
    return encodeFrame({ kind: { case: "dropped", value: { count } } });
  }

  /** Does something with the backlog and brings the node's counters up to date. */
  #account<T>(action: () => T): T {
    const { counters } = this.#options;
    const { counts } = this.#backlog;
    const before = { ...counts };
    const bytes = this.#backlog.byteLength;
    const result = action();
    const dropped = counts.dropped - before.dropped;
    this.#untold += dropped;
    counters.messagesDropped += dropped;
    counters.messagesConflated += counts.conflated - before.conflated;
    counters.messagesExpired += counts.expired - before.expired;
    counters.sendQueueBytes += this.#backlog.byteLength - bytes;
    return result;
  }
}
