import { checkNumber } from "../bounds.ts";
import type { Init } from "../wire/codec.ts";
import type { Subscribe } from "../wire/schema.ts";
import type { LogPosition } from "./log-position.ts";

/**
 * Where a durable channel begins: after the player's cursor, which is the head if none was ever committed; with what is published from
 * now on; with the last n messages that are stored; or after a position.
 */
export type StartFrom = "cursor" | "head" | { readonly rewind: number } | { readonly after: LogPosition };

/** The fields of `subscribe` that say it. Throws INVALID_ARGUMENT for a rewind that no server would take. */
export function toStart(from: StartFrom | undefined): Init<Subscribe> {
  if (from === undefined) return {};
  if (typeof from === "string") return { [from]: true };
  if ("rewind" in from) checkNumber("subscribe.rewind", from.rewind, 10_000);
  return from;
}
