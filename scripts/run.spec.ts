import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// A repository of its own in a temporary folder: the two scripts, a lock file, and an `npm` that does what FAKE_NPM says.
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "fanfare-run-"));
  const scripts = join(root, "scripts");
  await mkdir(scripts);
  for (const name of ["run.mjs", "ensure-installed.mjs"]) {
    await cp(fileURLToPath(new URL(name, import.meta.url)), join(scripts, name));
  }
  await lock("1.0.0");
  await executable(
    "bin/npm",
    `#!/bin/sh
echo "$@" >> ${join(root, "npm-calls")}
case $FAKE_NPM in
  offline) echo "npm error code ENOTFOUND" >&2; exit 1 ;;
  broken) echo "npm error code EUSAGE" >&2; exit 4 ;;
  no-scripts) mkdir -p node_modules ;;
  *) mkdir -p node_modules/node/bin && ln -sf ${process.execPath} node_modules/node/bin/node ;;
esac`,
  );
  await writeFile(join(root, "report.mjs"), "console.log(process.argv.slice(2).join()); process.exitCode = 3;");
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("run.mjs", () => {
  it("installs once, and again when package-lock.json has changed", async () => {
    expect((await run(["report.mjs"])).stderr).toContain("nothing is installed yet");
    expect((await run(["report.mjs"])).stderr).toBe("");
    await lock("1.0.1");
    expect((await run(["report.mjs"])).stderr).toContain("package-lock.json has changed");
    expect((await run(["report.mjs"])).stderr).toBe("");
    expect((await npmCalls()).length).toBe(2);
  });

  it("takes what was installed by hand, if it is what package-lock.json says", async () => {
    await run(["report.mjs"]);
    await rm(join(root, "node_modules/.fanfare-installed"));
    await cp(join(root, "package-lock.json"), join(root, "node_modules/.package-lock.json"));
    await run(["report.mjs"]);
    expect((await npmCalls()).length).toBe(1);

    await rm(join(root, "node_modules/.fanfare-installed"));
    await lock("1.0.1");
    await run(["report.mjs"]);
    expect((await npmCalls()).length).toBe(2);
  });

  it("says in a sentence that there is no network", async () => {
    const { code, stderr } = await run(["report.mjs"], { FAKE_NPM: "offline" });
    expect(code).toBe(1);
    expect(stderr).toContain("npm could not reach the package registry (ENOTFOUND)");
  });

  it("says when npm fails otherwise, and when the pinned Node did not come", async () => {
    expect((await run(["report.mjs"], { FAKE_NPM: "broken" })).stderr).toContain("failed with exit code 4");
    expect((await run(["report.mjs"], { FAKE_NPM: "no-scripts" })).stderr).toContain("npm rebuild node");
  });

  it("runs the first scripts before the last, and stops when one of them fails", async () => {
    await writeFile(join(root, "first.mjs"), 'console.log("first");');
    expect((await run(["--first", "first.mjs", "report.mjs"])).stdout).toBe("first\n\n");
    const stopped = await run(["--first", "report.mjs", "first.mjs"]);
    expect(stopped).toMatchObject({ code: 3, stdout: "\n" });
  });

  // Node 20 has no execve: there the script is a child.
  describe.each([
    ["in its own place", []],
    ["as a child", ["--import", "data:text/javascript,process.execve=undefined"]],
  ])("with the script %s", (_, flags) => {
    it("passes arguments on and the exit code back", async () => {
      expect(await run(["report.mjs", "a", "--only", "b"], {}, flags)).toMatchObject({
        code: 3,
        stdout: "a,--only,b\n",
      });
    });

    it.each(["SIGINT", "SIGTERM"] as const)("lets %s reach the script", async (signal) => {
      const script = `process.on("${signal}", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready");`;
      await writeFile(join(root, "serve.mjs"), script);
      const child = start(["serve.mjs"], {}, flags);
      if (child.stdout !== null) await once(child.stdout, "data");
      child.kill(signal);
      expect(await once(child, "close")).toEqual([7, null]);
    });
  });
});

function start(args: string[], env: Record<string, string> = {}, flags: readonly string[] = []): ChildProcess {
  const path = [join(root, "bin"), "/usr/bin", "/bin"].join(delimiter);
  return spawn(process.execPath, [...flags, "scripts/run.mjs", ...args], {
    cwd: root,
    env: { PATH: path, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function run(args: string[], env: Record<string, string> = {}, flags: readonly string[] = []) {
  const child = start(args, env, flags);
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      printed[name] += chunk.toString();
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...printed };
}

async function lock(version: string): Promise<void> {
  const packages = { "": {}, "node_modules/a": { version }, "node_modules/b": { version: "1.0.0", optional: true } };
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ packages }));
}

async function executable(path: string, text: string): Promise<void> {
  await mkdir(join(root, path, ".."), { recursive: true });
  await writeFile(join(root, path), text);
  await chmod(join(root, path), 0o755);
}

async function npmCalls(): Promise<string[]> {
  return (await readFile(join(root, "npm-calls"), "utf8")).trim().split("\n");
}
