import type { IncomingMessage, ServerResponse } from "node:http";

/** Handles a request, or leaves it to the next route by returning false. */
export type Route = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Asks the routes in their order; 404 if none takes the request. */
export function dispatch(routes: readonly Route[]): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    if (routes.some((route) => route(request, response))) return;
    sendText(response, 404, "not found\n");
  };
}

/** A route of GET and HEAD for one path. */
export function get(path: string, handle: (request: IncomingMessage, response: ServerResponse) => void): Route {
  return (request, response) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead || pathOf(request) !== path) return false;
    handle(request, response);
    return true;
  };
}

/** Answers with plain text. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

/** The path of a request, without its query. */
export function pathOf({ url = "/" }: IncomingMessage): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
