import type { WebSocket } from "ws";
import type { Breaks } from "../mutants/mutants.ts";

/** A frame that waits for its socket. */
export interface Waiting {
  readonly data: Uint8Array | string;
  readonly volatile: boolean;
  /** Of the volatile frames of one origin, channel and key only the newest is kept; undefined: all are. */
  readonly conflation?: string | undefined;
  /** When it is no longer sent; 0: never. */
  readonly expiresAtMs?: number;
  /** Sent in its place then. */
  readonly substitute?: Uint8Array | string | undefined;
}

/** What an outbox is made of. */
export interface OutboxOptions {
  readonly socket: WebSocket;
  readonly maxBytes: number;
  /** How long nothing may leave while something waits. */
  readonly stallMs: number;
  readonly breaks: Breaks;
  readonly dropped: (count: number) => Uint8Array | string;
  /** It holds more than it may, and nothing that can be dropped; or nothing has left for too long. */
  readonly onOverflow: () => void;
  /** Everything that waited is with the kernel. */
  readonly onEmpty: () => void;
}

/** With so many bytes on their way to the kernel the next frames wait. */
const mostOnTheWay = 64 * 1024;

/** The send queue of a connection, bounded in bytes and in the time without progress (PROTOCOL.md, section 17). */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #onTheWay = 0;
  #dropped = 0;
  #stalled: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Whether what is in a log may be put into it: live messages need room too. */
  get hasRoom(): boolean {
    return this.#bytes < this.#options.maxBytes / 2;
  }

  get isFull(): boolean {
    return this.#bytes > this.#options.maxBytes;
  }

  push(frame: Waiting): void {
    if (this.#closed) return;
    if (this.#waiting.length === 0 && this.#onTheWay < mostOnTheWay) return this.#write(frame.data);
    const { breaks } = this.#options;
    const replaced = this.#replaced(frame);
    if (replaced !== -1) {
      this.#remove(replaced);
      if (breaks.has("conflated-counted-as-dropped")) this.#dropped++;
    }
    this.#insert(frame, replaced !== -1 && breaks.has("conflation-keeps-the-place") ? replaced : this.#waiting.length);
    this.#shed();
  }

  /** Gives everything that waits to the socket, whatever its bound: the connection ends behind it. */
  flush(): void {
    if (this.#closed) return;
    for (const { data } of this.#waiting.splice(0)) this.#write(data);
    this.#bytes = 0;
  }

  /** Throws away what waits. */
  forget(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
  }

  /** Throws away what waits, and takes nothing more. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    clearTimeout(this.#stalled);
  }

  #replaced({ conflation }: Waiting): number {
    if (conflation === undefined || this.#options.breaks.has("no-conflation")) return -1;
    return this.#waiting.findIndex((one) => one.conflation === conflation);
  }

  #insert(frame: Waiting, index: number): void {
    this.#waiting.splice(index, 0, frame);
    this.#bytes += frame.data.length;
    this.#watch();
  }

  #remove(index: number): void {
    const [frame] = this.#waiting.splice(index, 1);
    this.#bytes -= frame?.data.length ?? 0;
  }

  /** Drops volatile frames, oldest first, until the rest fits. */
  #shed(): void {
    const { breaks, onOverflow } = this.#options;
    while (this.isFull) {
      const isDroppable = ({ volatile }: Waiting) => volatile || breaks.has("anything-dropped-at-the-bound");
      const index = breaks.has("newest-dropped-first")
        ? this.#waiting.findLastIndex(isDroppable)
        : this.#waiting.findIndex(isDroppable);
      if (index === -1) return breaks.has("queue-unbounded") ? undefined : onOverflow();
      this.#remove(index);
      this.#dropped++;
    }
  }

  #write(data: Uint8Array | string): void {
    this.#onTheWay += data.length;
    this.#options.socket.send(data, () => {
      this.#onTheWay -= data.length;
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
      this.#drain();
    });
  }

  #drain(): void {
    if (this.#closed) return;
    const { breaks, dropped, onEmpty } = this.#options;
    while (this.#onTheWay < mostOnTheWay && this.#waiting.length > 0) {
      if (this.#dropped > 0 && !breaks.has("dropped-untold")) this.#write(dropped(this.#dropped));
      this.#dropped = 0;
      const frame = this.#waiting[0] as Waiting;
      this.#remove(0);
      const isExpired = frame.expiresAtMs !== 0 && (frame.expiresAtMs ?? 0) <= Date.now();
      const data = isExpired && frame.expiresAtMs && !breaks.has("expired-sent-late") ? frame.substitute : frame.data;
      if (data !== undefined) this.#write(data);
    }
    if (this.#waiting.length === 0) onEmpty();
    else this.#watch();
  }

  #watch(): void {
    if (this.#options.breaks.has("queue-stands-still-for-ever")) return;
    this.#stalled ??= setTimeout(this.#options.onOverflow, this.#options.stallMs);
  }
}
