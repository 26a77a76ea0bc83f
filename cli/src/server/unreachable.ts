import { CliError } from "../cli-error.ts";
import { defaultUrl } from "./server-options.ts";

/** The error of a server that does not answer. */
export function unreachable(url: string, cause: unknown): CliError {
  const { code, text } = reasonOf(cause);
  return new CliError("unreachable", `no server answers at ${url} (${text})`, remedyFor(url, code), { cause });
}

function remedyFor(url: string, code: string): string {
  if (/^(ERR_SSL_|EPROTO)/.test(code)) {
    return `what listens there does not speak TLS: try --url ${url.replace(/^https/, "http")}`;
  }
  const start =
    url === defaultUrl ? "start one with `npm start` or `npx fanfare serve --dev`, or" : "is it running? If so,";
  return `${start} say where it is with --url`;
}

/** The innermost reason that has a code, such as ECONNREFUSED, or else a text; fetch and Connect wrap it more than once. */
function reasonOf(cause: unknown): { code: string; text: string } {
  let code = "";
  let text = cause instanceof Error ? cause.message : String(cause);
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error.message !== "") text = error.message;
    if ("code" in error && typeof error.code === "string") code = error.code;
    if (error.name === "TimeoutError") code = "timed out";
  }
  return { code, text: code === "" ? text : code };
}
