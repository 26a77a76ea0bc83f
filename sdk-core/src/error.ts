import { ErrorCode, type Outcome, retryableAfterMs, type Error as WireError } from "./wire/schema.ts";

/** What a {@link FanfareError} may carry beside its code and message. */
export interface FanfareErrorOptions {
  /** The error or value that led to this one. */
  cause?: unknown;
  /** When to try again, in milliseconds. Default: the least back-off of the code, 0 if there is none. */
  retryAfterMs?: number;
  /** Path of the field that was wrong, for instance `publish.channel.group`. */
  field?: string;
  /** Whether the same request may succeed later. Default: what the code says. */
  retryable?: boolean;
  /** The WebSocket close code that the connection ended with. */
  closeCode?: number;
  /** Of a publish that failed: `FAILED`, it was not sent; `UNKNOWN`, it may have been sent or not. */
  outcome?: Outcome;
}

/** The one error of this library: what the server refused, and what went wrong on the way. */
export class FanfareError extends Error {
  override readonly name = "FanfareError";
  /** What happened; from the protocol's own list. */
  readonly code: ErrorCode;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** When to try again, in milliseconds; 0 if nothing is known. */
  readonly retryAfterMs: number;
  /** Path of the field that was wrong; empty if no field is to blame. */
  readonly field: string;
  /** The WebSocket close code that the connection ended with, if that is what failed. */
  readonly closeCode: number | undefined;
  /** Of a publish that failed: what became of the message. */
  readonly outcome: Outcome | undefined;

  constructor(code: ErrorCode, message: string, options: FanfareErrorOptions = {}) {
    super(message || ErrorCode[code], options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? code in retryableAfterMs;
    this.retryAfterMs = options.retryAfterMs || (this.retryable && retryableAfterMs[code]) || 0;
    this.field = options.field ?? "";
    this.closeCode = options.closeCode;
    this.outcome = options.outcome;
  }

  /**
   * Any thrown value as a FanfareError: one is returned as it is, an aborted signal's reason becomes CANCELLED, everything else
   * `code`, with the value as its cause.
   */
  static from(reason: unknown, code: ErrorCode = ErrorCode.INTERNAL): FanfareError {
    if (reason instanceof FanfareError) return reason;
    if (!(reason instanceof Error)) return new FanfareError(code, String(reason), { cause: reason });
    const aborted = reason.name === "AbortError";
    return new FanfareError(aborted ? ErrorCode.CANCELLED : code, reason.message, { cause: reason });
  }
}

/** An error of the wire. A code that is not known here counts as INTERNAL that is not retryable. */
export function fromWireError(error: WireError | undefined, options: FanfareErrorOptions = {}): FanfareError {
  const { code = 0, message = "the server gave no reason", retryAfterMs = 0, field = "" } = error ?? {};
  if (code in ErrorCode && code !== ErrorCode.UNSPECIFIED) {
    return new FanfareError(code, message, { retryAfterMs, field, ...options });
  }
  return new FanfareError(ErrorCode.INTERNAL, message, { field, retryable: false, ...options });
}

/** The CANCELLED error of an aborted signal. */
export function cancelled(signal: AbortSignal | undefined, options?: FanfareErrorOptions): FanfareError {
  return new FanfareError(ErrorCode.CANCELLED, "the caller gave up", { cause: signal?.reason, ...options });
}
