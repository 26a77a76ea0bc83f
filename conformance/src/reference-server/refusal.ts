import type { ErrorCode } from "@fanfare/proto/v1";

/** A request or hello that is refused. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: ErrorCode;
  readonly field: string;
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, field = "", retryAfterMs = 0) {
    super(message);
    this.code = code;
    this.field = field;
    this.retryAfterMs = retryAfterMs;
  }

  /** Its form on the wire. */
  get value() {
    return { code: this.code, message: this.message, field: this.field, retryAfterMs: this.retryAfterMs };
  }
}
