import type { Channel } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { PresencePort } from "./paced-words.ts";
import type { PresenceWord } from "./presence-audience.ts";
import type { Subscription } from "./subscription.ts";

/**
 * How much of a connection's queue one word of presence may have, in binary, and how much may wait before it: so little that there is room for it as JSON as
 * well, which can make six bytes of each.
 */
export const wordShare = 1 / 8;

/** The way of presence to the sessions that watch a channel here. */
export class SessionPresencePort implements PresencePort<Subscription> {
  readonly #channel: Channel;
  readonly #clock: Clock;
  /** Each word is encoded once, for however many and whenever they have room for it. */
  readonly #frames = new WeakMap<PresenceWord, OutboundFrame>();

  constructor({ channel, clock }: { readonly channel: Channel; readonly clock: Clock }) {
    this.#channel = channel;
    this.#clock = clock;
  }

  send(to: Iterable<Subscription>, word: PresenceWord): void {
    const frame = this.#frameOf(word);
    for (const { session } of to) session.link?.enqueue(frame);
  }

  hasRoom({ session: { link } }: Subscription): boolean {
    return link === undefined || link.queuedBytes <= link.queueBytes * wordShare;
  }

  async room({ session: { link } }: Subscription): Promise<void> {
    await link?.writable();
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
  }

  #frameOf(word: PresenceWord): OutboundFrame {
    const known = this.#frames.get(word);
    if (known !== undefined) return known;
    const frame = encodeFrame({ kind: { case: "presenceEvent", value: { channel: this.#channel, event: word } } });
    this.#frames.set(word, frame);
    return frame;
  }
}
