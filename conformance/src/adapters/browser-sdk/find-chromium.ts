import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const elsewhere = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The path of a Chromium: `CHROMIUM_PATH`, else what is installed. @throws when there is none */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const candidates =
    env.CHROMIUM_PATH === undefined
      ? [...names.flatMap((name) => folders.map((folder) => join(folder, name))), ...elsewhere]
      : [env.CHROMIUM_PATH];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error("there is no Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM_PATH");
  }
  return found;
}
