import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** What the page server needs. */
export interface PageServerOptions {
  /** Where Fanfare is, as http. */
  readonly fanfareUrl: string;
  /** Gives a viewer's token. A game asks its own login here. */
  readonly mintToken: () => Promise<string>;
}

/** A running page server. */
export interface PageServer extends AsyncDisposable {
  readonly url: string;
}

const folder = join(import.meta.dirname, "page/dist");
const contentTypes: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "main.js": "text/javascript; charset=utf-8",
  "main.js.map": "application/json",
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

/** Serves the page on a free port of this machine, and tells it where Fanfare is and who it is. */
export async function servePage({ fanfareUrl, mintToken }: PageServerOptions): Promise<PageServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      response.statusCode = 500;
      response.end();
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, "127.0.0.1", resolve);
  await promise;
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const headers = {
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${fanfareUrl.replace(/^http/, "ws")}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.url === "/" ? "index.html" : (request.url ?? "").slice(1);
    const contentType = contentTypes[name];
    // Another name than this one is a page of somebody else whose name points here, after a token.
    if (request.headers.host !== host || request.method !== "GET") response.writeHead(403).end();
    else if (name === "connection.json") {
      const connection = JSON.stringify({ url: fanfareUrl, token: await mintToken() });
      response.writeHead(200, { ...headers, "content-type": "application/json" }).end(connection);
    } else if (contentType === undefined) response.writeHead(404, headers).end();
    else {
      const file = await readFile(join(folder, name));
      response.writeHead(200, { ...headers, "content-type": contentType }).end(file);
    }
  }

  return {
    url: `http://${host}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
