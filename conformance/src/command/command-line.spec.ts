import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = fileURLToPath(new URL("../..", import.meta.url));

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `fanfare-conformance` in its package's folder, with these variables besides. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const { INIT_CWD: _, npm_command: __, ...inherited } = process.env;
  const options = { cwd: folder, env: { ...inherited, ...env }, timeout: 60_000 };
  return new Promise((resolve) => {
    const all = [join(folder, "bin/fanfare-conformance.js"), ...args];
    execFile(process.execPath, all, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
  });
}

describe("fanfare-conformance", { timeout: 60_000 }, () => {
  it.each([
    ["there", "", {}],
    ["where npx was called", "examples/", { npm_command: "exec", INIT_CWD: join(folder, "examples") }],
    ["there, whichever folder npx was called in around it", "", { npm_command: "exec", INIT_CWD: join(folder, "..") }],
    ["there in a script of a package", "", { npm_command: "run-script", INIT_CWD: join(folder, "examples") }],
  ])("reads a file %s", async (_, inside, env) => {
    const { code, stderr } = await run(["all", "--config", "no-such.yaml"], env);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `${join(folder, inside, "no-such.yaml")}: there is no such file\n`,
    });
  });

  it.each([["list"], ["server", "--target", "targets/fanfare-server.yaml"], ["client", "--adapter", "false"]])(
    "%s says that no case fits",
    async (...command) => {
      const { code, stderr } = await run([...command, "--spec", "FF-NO-1"]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: "no case fits the filters\n" });
    },
  );

  it("says while the doctor waits for a program that says nothing", async () => {
    const args = [join(folder, "bin/fanfare-conformance.js"), "doctor", "--adapter", "cat"];
    const doctor = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(doctor, "exit");
    const lines: string[] = [];
    for await (const line of createInterface(doctor.stdout)) {
      lines.push(line.trim());
      if (lines.length === 2) break;
    }
    doctor.kill();
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect(lines).toEqual([
      "starting cat; it has 20 s to report that it is ready",
      expect.stringMatching(/^the next check has taken [3-9] s so far$/),
    ]);
  });

  it("explains several cases by their titles", async () => {
    const { code, stdout } = await run(["explain", "core/handshake/"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^core\/handshake\/welcome-is-complete +\S/m);
    expect(stdout.split("\n").filter((line) => line !== "" && !line.startsWith("core/handshake/"))).toEqual([]);
  });
});
