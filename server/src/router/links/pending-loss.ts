import type { AppChannel } from "../../broker/route-store.ts";
import { encodeLoss } from "./batch-encoding.ts";

/** Characters of names that one batch carries. With more, all channels have lost something. */
const maxNameLength = 16_384;

/** Channels whose peer has to be told that something was given up. */
export class PendingLoss {
  readonly #maxChannels: number;
  readonly #channels = new Map<string, AppChannel>();
  #nameLength = 0;
  #isAll = false;

  constructor(maxChannels: number) {
    this.#maxChannels = maxChannels;
  }

  get isEmpty(): boolean {
    return !this.#isAll && this.#channels.size === 0;
  }

  add(channel: AppChannel): void {
    if (this.#isAll) return;
    const name = `${channel.appId}\n${channel.key}`;
    if (this.#channels.has(name)) return;
    this.#channels.set(name, channel);
    this.#nameLength += name.length;
    if (this.#channels.size <= this.#maxChannels && this.#nameLength <= maxNameLength) return;
    this.#clear();
    this.#isAll = true;
  }

  /** Takes it, encoded as a `Loss`. Undefined: nothing was lost. */
  take(): Uint8Array | undefined {
    if (this.isEmpty) return undefined;
    const encoded = encodeLoss(this.#isAll ? "all" : [...this.#channels.values()]);
    this.#clear();
    return encoded;
  }

  #clear(): void {
    this.#channels.clear();
    this.#nameLength = 0;
    this.#isAll = false;
  }
}
