import { CliError } from "../cli-error.ts";
import { defaultUrl } from "./server-options.ts";

/** The error of a server that does not answer. */
export function unreachable(url: string, cause: unknown): CliError {
  const start =
    url === defaultUrl ? "start one with `npm start` or `fanfare serve --dev`, or" : "is it running? If so,";
  return new CliError(
    "unreachable",
    `no server answers at ${url} (${reasonOf(cause)})`,
    `${start} say where it is with --url`,
    {
      cause,
    },
  );
}

/** The innermost reason that has a code, such as ECONNREFUSED; fetch and Connect wrap it more than once. */
function reasonOf(cause: unknown): string {
  let reason = cause instanceof Error ? cause.message : String(cause);
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ("code" in error && typeof error.code === "string") reason = error.code;
    if (error.name === "TimeoutError") reason = "timed out";
  }
  return reason;
}
