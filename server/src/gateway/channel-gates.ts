import type { ClientFrame } from "@fanfare/proto/v1";
import { type ChannelKey, channelKey } from "../wire/channel-key.ts";

/** Frames that wait on one connection; one more is refused. */
const maxFrames = 1_024;

/**
 * Keeps the frames of one connection that concern a channel in their order, while a subscription of that channel waits for its route: what comes
 * behind it waits too. Frames of other channels go on.
 */
export class ChannelGates {
  readonly #closed = new Map<ChannelKey, ClientFrame[]>();
  readonly #handle: (frame: ClientFrame) => void;
  #count = 0;

  /** @param handle handles a frame that has waited; never throws */
  constructor(handle: (frame: ClientFrame) => void) {
    this.#handle = handle;
  }

  /** Lets frames of the channel wait until the promise settles. */
  close(key: ChannelKey, until: Promise<unknown>): void {
    if (!this.#closed.has(key)) this.#closed.set(key, []);
    until.then(
      () => this.#open(key),
      () => this.#open(key),
    );
  }

  /** Whether the frame waits now. `full`: it would have to, and too many do. */
  hold(frame: ClientFrame): boolean | "full" {
    if (this.#closed.size === 0) return false;
    const key = keyOf(frame);
    const waiting = key && this.#closed.get(key);
    if (waiting === undefined || waiting === "") return false;
    if (this.#count >= maxFrames) return "full";
    waiting.push(frame);
    this.#count++;
    return true;
  }

  #open(key: ChannelKey): void {
    const waiting = this.#closed.get(key) ?? [];
    this.#closed.delete(key);
    this.#count -= waiting.length;
    // One of them may close the gate again, and the rest waits anew, in its order.
    for (const frame of waiting) this.#handle(frame);
  }
}

function keyOf({ kind }: ClientFrame): ChannelKey | undefined {
  switch (kind.case) {
    case "publish":
    case "subscribe":
    case "unsubscribe":
    case "presence":
    case "presenceUpdate":
    case "history":
    case "cursorCommit":
      return kind.value.channel && channelKey(kind.value.channel);
    default:
      return undefined;
  }
}
