/** Where a server sends what is published to a channel. */
export interface ChannelListener {
  /** @param bytes one character a byte */
  published(channel: string, bytes: string): void;
  /** The server has ended these subscriptions. */
  ended(channels: readonly string[]): void;
}

/** Who has subscribed to which channels of one server. */
export class PublishedChannels {
  readonly #listeners = new Map<string, Set<ChannelListener>>();

  /** Subscriptions in all. */
  get size(): number {
    let count = 0;
    for (const listeners of this.#listeners.values()) count += listeners.size;
    return count;
  }

  has(channel: string): boolean {
    return this.#listeners.has(channel);
  }

  get names(): string[] {
    return [...this.#listeners.keys()];
  }

  subscribe(channel: string, listener: ChannelListener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, new Set([listener]));
    else listeners.add(listener);
  }

  /** Ends all subscriptions of one who has gone. */
  forget(listener: ChannelListener): void {
    for (const [channel, listeners] of this.#listeners) {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(channel);
    }
  }

  /** @returns how many received it */
  publish(channel: string, bytes: string): number {
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined) return 0;
    const count = listeners.size;
    for (const listener of [...listeners]) listener.published(channel, bytes);
    return count;
  }

  /** Ends the subscriptions of channels, because their slots are not here any more. */
  drop(channels: readonly string[]): void {
    for (const channel of channels) {
      const listeners = this.#listeners.get(channel);
      this.#listeners.delete(channel);
      for (const listener of listeners ?? []) listener.ended([channel]);
    }
  }

  close(): void {
    this.#listeners.clear();
  }
}
