import { FanfareError } from "./error.ts";
import { ErrorCode } from "./wire/schema.ts";

/** The WebSocket URL of a server's address: http becomes ws, and an empty path `/v1/connect`. Throws INVALID_ARGUMENT. */
export function connectUrl(address: string): string {
  const url = parse(address);
  if (url.pathname === "/") url.pathname = "/v1/connect";
  return url.href;
}

/** Scheme, host and port of an address, as a WebSocket's. Throws INVALID_ARGUMENT. */
export function originOf(address: string): string {
  const { protocol, host } = parse(address);
  return `${protocol}//${host}`;
}

/** Where a server's `goaway` leads: its URL if that has the same origin or an allowed one, otherwise undefined. */
export function followedUrl(current: string, wanted: string, allowedOrigins: readonly string[]): string | undefined {
  if (wanted === "") return undefined;
  try {
    const origin = originOf(wanted);
    return origin === originOf(current) || allowedOrigins.includes(origin) ? connectUrl(wanted) : undefined;
  } catch {
    return undefined;
  }
}

function parse(address: string): URL {
  let url: URL;
  try {
    // Schemes are exchanged in the text, because a URL of a special scheme does not take every other one.
    url = new URL(address.replace(/^http/i, "ws"));
  } catch (thrown) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `"${address}" is no URL`, { field: "url", cause: thrown });
  }
  if ((url.protocol === "ws:" || url.protocol === "wss:") && url.hash === "") return url;
  const message = `"${address}" has to be a ws, wss, http or https URL without a fragment`;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field: "url" });
}
