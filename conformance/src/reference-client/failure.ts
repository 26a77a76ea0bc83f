import { create } from "@bufbuild/protobuf";
import { ErrorCode, ErrorSchema, Outcome, type Error as WireError } from "@fanfare/proto/v1";

/** Why a command failed. */
export class ClientFailure extends Error {
  readonly code: ErrorCode;
  /** Of a publish. */
  readonly outcome: Outcome | undefined;

  constructor(code: ErrorCode, message: string, outcome?: Outcome) {
    super(message);
    this.code = code;
    this.outcome = outcome;
  }
}

/** What a server said went wrong. A code that is not known is INTERNAL. */
export function failureOf(error: WireError | undefined, outcome?: Outcome, keepsCode = false): ClientFailure {
  const { code, message } = error ?? create(ErrorSchema);
  const known = ErrorCode[code] !== undefined && code !== ErrorCode.UNSPECIFIED;
  return new ClientFailure(known || keepsCode ? code : ErrorCode.INTERNAL, message, outcome);
}

/** The server may say another thing a moment later. Of what it says about subscriptions. */
export function isOfTheMoment(code: ErrorCode): boolean {
  return code === ErrorCode.UNAVAILABLE || code === ErrorCode.RATE_LIMITED;
}

/** The outcomes that are successes. */
export const successes: ReadonlySet<Outcome> = new Set([Outcome.DELIVERED, Outcome.STORED, Outcome.OFFLINE]);
