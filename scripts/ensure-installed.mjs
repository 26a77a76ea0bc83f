// Plain JavaScript without dependencies: this runs on whatever Node the machine has, before anything is installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The pinned Node that the `node` package installs; every script of the repository runs on it. */
export function pinnedNode(root) {
  return join(root, "node_modules", "node", "bin", "node");
}

/**
 * Installs what package-lock.json names, unless that is installed already.
 *
 * @param {string} root the repository's folder
 * @returns {Promise<void>} rejects with a sentence for people when npm fails
 */
export async function ensureInstalled(root) {
  const stampFile = join(root, "node_modules", ".fanfare-installed");
  const lockText = readFileSync(join(root, "package-lock.json"));
  const stamp = createHash("sha256").update(`${process.platform}-${process.arch}\n`).update(lockText).digest("hex");
  if (existsSync(pinnedNode(root))) {
    if (existsSync(stampFile)) {
      if (readFileSync(stampFile, "utf8") === stamp) return;
    } else if (installedByHand(root, lockText)) {
      return writeFileSync(stampFile, stamp);
    }
  }
  const why = existsSync(join(root, "node_modules")) ? "package-lock.json has changed" : "nothing is installed yet";
  console.error(`Installing dependencies with npm (${why}) ...`);
  const startedAtMs = Date.now();
  await npmInstall(root);
  if (!existsSync(pinnedNode(root))) {
    throw new Error(
      "npm install ran, but the pinned Node is missing: the install script of the `node` package did not run.\n" +
        "Run `npm rebuild node --ignore-scripts=false`, or allow install scripts in your npm configuration.",
    );
  }
  writeFileSync(stampFile, stamp);
  console.error(`Installed in ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s.`);
}

/** Whether an `npm install` or `npm ci` by hand has already brought node_modules to what package-lock.json says. */
function installedByHand(root, lockText) {
  const hiddenLockFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hiddenLockFile)) return false;
  const installed = JSON.parse(readFileSync(hiddenLockFile, "utf8")).packages;
  return Object.entries(JSON.parse(lockText.toString()).packages).every(([path, wanted]) => {
    if (!path.includes("node_modules/") || wanted.link) return true;
    const found = installed[path];
    return found === undefined
      ? wanted.optional === true || wanted.devOptional === true
      : found.version === wanted.version;
  });
}

// Not `npm ci`: a lock file written where a registry lacks some platforms' optional packages has no entries for these, and
// `npm ci` refuses such a file on every platform. `--no-save` takes the locked versions as well and never writes the lock file.
async function npmInstall(root) {
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = npmCommand();
  const child = spawn(npm.file, [...npm.args, ...args], {
    cwd: root,
    env: { ...process.env, PATH: pathWithoutPackages() },
    stdio: ["ignore", "inherit", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    process.stderr.write(chunk);
  });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code === 0) return;
  const offline =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED)\b/.exec(stderr);
  throw new Error(
    offline === null
      ? `npm install failed with exit code ${code}; its messages are above.`
      : `npm could not reach the package registry (${offline[1]}). Connect to the network, then run the command again.`,
  );
}

/** npm as it was started, on the Node it was started with: npm may replace the pinned Node while it works. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script?.endsWith("npm-cli.js") && node !== undefined && existsSync(node)) {
    return { file: node, args: [script] };
  }
  return { file: "npm", args: [] };
}

function pathWithoutPackages() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.filter((folder) => !/[\\/]node_modules[\\/]\.bin[\\/]?$/.test(folder)).join(delimiter);
}
