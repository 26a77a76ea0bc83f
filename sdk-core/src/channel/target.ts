import { checkName } from "../bounds.ts";
import type { Channel as WireChannel } from "../wire/schema.ts";

/** A channel by name: one player, one group, or everybody. */
export type Target = { readonly player: string } | { readonly group: string } | "broadcast";

/** The channel of a target. Throws INVALID_ARGUMENT for a name that no server would take. */
export function toWireChannel(target: Target): WireChannel {
  if (target === "broadcast") return { broadcast: true };
  if ("player" in target) {
    checkName("channel.player", target.player, 128);
    return { player: target.player };
  }
  checkName("channel.group", target.group, 255);
  return { group: target.group };
}

/** The target of a channel; undefined for a kind of channel that is not known here. */
export function fromWireChannel(channel: WireChannel | undefined): Target | undefined {
  if (channel?.group !== undefined) return { group: channel.group };
  if (channel?.player !== undefined) return { player: channel.player };
  return channel?.broadcast ? "broadcast" : undefined;
}

/** A map keyed by channels, without a string being put together for every look-up. */
export class ChannelMap<T> {
  readonly #groups = new Map<string, T>();
  readonly #players = new Map<string, T>();
  #broadcast: T | undefined;

  get(channel: WireChannel | undefined): T | undefined {
    if (channel?.group !== undefined) return this.#groups.get(channel.group);
    if (channel?.player !== undefined) return this.#players.get(channel.player);
    return channel?.broadcast ? this.#broadcast : undefined;
  }

  set(channel: WireChannel, value: T | undefined): void {
    const [map, name] = channel.group !== undefined ? [this.#groups, channel.group] : [this.#players, channel.player];
    if (name === undefined) this.#broadcast = value;
    else if (value === undefined) map.delete(name);
    else map.set(name, value);
  }

  *values(): Generator<T, void, undefined> {
    yield* this.#groups.values();
    yield* this.#players.values();
    if (this.#broadcast !== undefined) yield this.#broadcast;
  }
}
