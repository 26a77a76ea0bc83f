import { decodePayload, fromWirePayload, type Payload, type PayloadType, type ValueOf } from "../payload.ts";
import type { WaitOptions } from "../requests.ts";
import type { HistoryPage as WirePage } from "../wire/schema.ts";
import type { LogPosition } from "./log-position.ts";
import { MessageMeta } from "./message-meta.ts";

/** Which part of a durable channel's log to read. */
export interface HistoryOptions extends WaitOptions {
  /** `backward`: the newest first; `forward`: the oldest first. Default: `backward`. */
  direction?: "backward" | "forward" | undefined;
  /** Read from here, this position not included. Default: from the end at which the direction begins. */
  from?: LogPosition | undefined;
  /** Messages on a page, at most 1,000. Default: 50. */
  limit?: number | undefined;
}

/** A message as it was stored. */
export class StoredMessage extends MessageMeta {
  /** What was published, as it travels. */
  readonly payload: Payload;

  /** @internal */
  constructor(...message: ConstructorParameters<typeof MessageMeta>) {
    super(...message);
    this.payload = fromWirePayload(message[0].payload);
  }

  /** What was published, by its type. Throws MALFORMED if it is of another one. */
  read<S extends PayloadType>(type: S): ValueOf<S> {
    return decodePayload(type, this.payload);
  }
}

/** A page of a durable channel's log. */
export interface HistoryPage {
  /** In the direction asked for. Offsets that are missing between two of them were deleted or have expired. */
  readonly messages: readonly StoredMessage[];
  /** Ask on `from` here; undefined: there is no more in this direction. */
  readonly next: LogPosition | undefined;
  /** The newest position of the log. */
  readonly head: LogPosition | undefined;
  /** The oldest position that can still be read from. */
  readonly tail: LogPosition | undefined;
}

/** A page as it came. */
export function toHistoryPage(page: WirePage | undefined): HistoryPage {
  const { messages = [], next, head, tail } = page ?? {};
  return { messages: messages.map((message) => new StoredMessage(message, head?.epoch)), next, head, tail };
}
