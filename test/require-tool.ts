import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs outside of npm that tests drive: where they are looked for, and what to tell whoever lacks one. */
const tools = {
  chromium: {
    variable: "CHROMIUM_PATH",
    names: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
    paths: [
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
    install: "Chromium (Debian: apt-get install chromium), or set CHROMIUM_PATH to a Chrome's path",
  },
  go: {
    variable: "GO_PATH",
    names: ["go"],
    paths: ["/usr/local/go/bin/go"],
    install: "Go 1.25 or later",
  },
  nginx: {
    variable: "NGINX_PATH",
    names: ["nginx"],
    paths: ["/usr/sbin/nginx"],
    install: "nginx (Debian: apt-get install nginx-light)",
  },
  openssl: {
    variable: "OPENSSL_PATH",
    names: ["openssl"],
    paths: [],
    install: "OpenSSL's command (Debian: apt-get install openssl)",
  },
  python3: {
    variable: "PYTHON_PATH",
    names: ["python3"],
    paths: [],
    install: "Python 3.11 or later with pip (Debian: apt-get install python3 python3-pip)",
  },
  "valkey-server": {
    variable: "FANFARE_VALKEY_SERVER",
    names: ["valkey-server"],
    paths: [],
    install: "valkey-server and valkey-tools 8 (Debian bookworm: from its backports)",
  },
} as const;

/** What the search depends on, replaced in tests. */
export interface ToolSearch {
  env: Readonly<Record<string, string | undefined>>;
  isExecutable(path: string): boolean;
  log(line: string): void;
}

const machine: ToolSearch = {
  env: process.env,
  isExecutable(path) {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  },
  log: (line) => console.warn(line),
};

/**
 * Path of a program that tests need. When it is missing, undefined after one line that says what to install, for
 * `describe.skipIf(path === undefined)`; where `CI` is `true`, an error instead, because there nothing may be skipped.
 */
export function requireTool(tool: keyof typeof tools, search: ToolSearch = machine): string | undefined {
  const found = findTool(tool, search);
  if (found !== undefined) return found;
  if (search.env.CI === "true") throw new Error(missing(tool, ", and CI skips no test"));
  search.log(`Skipped tests that need ${tool}: install ${tools[tool].install}.`);
  return undefined;
}

/** Path of a program, undefined where it is missing. */
export function findTool(tool: keyof typeof tools, search: ToolSearch = machine): string | undefined {
  const { variable, names, paths } = tools[tool];
  const named = search.env[variable];
  const folders = (search.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const candidates =
    named !== undefined ? [named] : [...names.flatMap((name) => folders.map((folder) => join(folder, name))), ...paths];
  return candidates.find((path) => search.isExecutable(path));
}

/** Says that a program is missing, and what to install. */
export function missing(tool: keyof typeof tools, consequence = ""): string {
  return `${tool} is missing${consequence}: install ${tools[tool].install}`;
}
