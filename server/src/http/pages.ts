import { createReadStream, statSync } from "node:fs";
import { extname, join, normalize, sep } from "node:path";
import { pathOf, type Route } from "./routes.ts";

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".map": "application/json",
};

/** Serves the files of a folder; `/` is its index.html. Only types named above, nothing outside of it, nothing hidden. */
export function pagesRoute(folder: string): Route {
  return (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") return false;
    const file = fileOf(folder, pathOf(request));
    if (file === undefined) return false;
    const contentType = contentTypes[extname(file)];
    const size = contentType === undefined ? undefined : sizeOf(file);
    if (contentType === undefined || size === undefined) return false;
    response.writeHead(200, {
      "content-type": contentType,
      "content-length": size,
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    if (request.method === "HEAD") response.end();
    else
      createReadStream(file)
        .on("error", () => response.destroy())
        .pipe(response);
    return true;
  };
}

function fileOf(folder: string, path: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  if (decoded.includes("\0") || decoded.split("/").some((part) => part.startsWith("."))) return undefined;
  const file = normalize(join(folder, decoded === "/" ? "index.html" : decoded));
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep) ? file : undefined;
}

function sizeOf(file: string): number | undefined {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats?.isFile() ? stats.size : undefined;
  } catch {
    return undefined; // the name is too long for a file, a link leads to itself, or reading it is not allowed
  }
}
