import type { Message } from "../wire/schema.ts";
import type { LogPosition } from "./log-position.ts";
import { fromWireChannel, type Target } from "./target.ts";

/** What is known of a message beside its value. */
export class MessageMeta {
  readonly #message: Message;
  readonly #epoch: number | undefined;

  /** `epoch`: of the log it came from. @internal */
  constructor(message: Message, epoch: number | undefined) {
    this.#message = message;
    this.#epoch = epoch;
  }

  /** Identifies the message: origin and number, with a dash between. */
  get id(): string {
    return `${this.#message.origin}-${this.#message.seq}`;
  }

  /** The player whose session published it, as the server knows it; empty for a backend. */
  get from(): string {
    return this.#message.from;
  }

  /** The session or backend producer that published it; as {@link PresenceMember.origin}. */
  get origin(): bigint {
    return this.#message.origin;
  }

  /** Number of the message within its origin: growing, not without holes. */
  get seq(): number {
    return this.#message.seq;
  }

  /** Where it was sent. */
  get channel(): Target {
    return fromWireChannel(this.#message.channel) ?? "broadcast";
  }

  /** The payload's type name; may be empty. */
  get type(): string {
    return this.#message.payload?.type ?? "";
  }

  /** When the server accepted it, by the server's clock. */
  get sentAt(): Date {
    return new Date(this.#message.sentAtMs);
  }

  /** When it stops being of use, by the server's clock; undefined: never. */
  get expiresAt(): Date | undefined {
    return this.#message.expiresAtMs === 0 ? undefined : new Date(this.#message.expiresAtMs);
  }

  /** It was sent as volatile: others of its kind may be missing. */
  get volatile(): boolean {
    return this.#message.volatile;
  }

  /** The newest message of a key replaces older ones; empty: none. */
  get conflationKey(): string {
    return this.#message.conflationKey;
  }

  /** Its place in the log, of durable channels; undefined otherwise. */
  get position(): LogPosition | undefined {
    const { log } = this.#message;
    return this.#epoch === undefined ? undefined : log && { epoch: this.#epoch, offset: log.offset, tag: log.tag };
  }

  /** The position before it. @internal */
  get before(): LogPosition | undefined {
    const { position } = this;
    return position && { ...position, offset: position.offset - 1, tag: this.#message.log?.previousTag ?? 0 };
  }
}
