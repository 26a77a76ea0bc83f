import { create } from "@bufbuild/protobuf";
import { ErrorCode, type Error as ErrorMessage, ErrorSchema } from "@fanfare/proto/v1";

/** What a {@link FanfareError} says beside its code and message. */
export interface FanfareErrorOptions extends ErrorOptions {
  /** When to try again, in milliseconds. Default: 0, as the code's policy says. */
  retryAfterMs?: number;
  /** Path of the field that was wrong. Default: none. */
  field?: string;
}

/** The one error of the server: what a client or backend is told. The cause stays here, for the log. */
export class FanfareError extends Error {
  override readonly name = "FanfareError";
  readonly code: ErrorCode;
  /** Milliseconds; 0: as the code's policy says. */
  readonly retryAfterMs: number;
  /** Path of the field that was wrong; empty: none. */
  readonly field: string;

  constructor(code: ErrorCode, message: string, options: FanfareErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.field = options.field ?? "";
  }

  /**
   * A FanfareError is returned as it is. Anything else is a fault of the server: INTERNAL, with a message that gives nothing away,
   * and the fault as its cause.
   */
  static from(reason: unknown): FanfareError {
    if (reason instanceof FanfareError) return reason;
    return new FanfareError(ErrorCode.INTERNAL, "internal error; the server's log says more", { cause: reason });
  }

  /** The error as clients and backends receive it, within the bounds of `fanfare.v1.Error`. */
  toProto(): ErrorMessage {
    return create(ErrorSchema, {
      code: this.code,
      message: clip(this.message, 1024),
      retryAfterMs: Math.min(Math.max(0, Math.ceil(this.retryAfterMs)), 0xffff_ffff),
      field: clip(this.field, 256),
    });
  }
}

/** The text cut to that many bytes of UTF-8, never within a character. */
function clip(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = new Uint8Array(maxBytes);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
