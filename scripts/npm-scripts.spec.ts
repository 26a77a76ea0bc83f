import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkSteps } from "./check-steps.ts";
import { root } from "./packages.ts";

/** What each `npm run` starts, without what has to run before it. Those of Vitest itself are not ours. */
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
const commands = Object.entries(scripts)
  .map(([name, text]) => [name, text.replace(/^exec node scripts\/run\.mjs (--first \S+ )?/, "").split(" ")] as const)
  .filter(([, [file]]) => file?.endsWith(".ts"));

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script to its end; one that begins to work is killed. */
function run(words: readonly string[]): Promise<Ended> {
  return ended(process.execPath, ["--conditions=@fanfare/source", ...words]);
}

function ended(program: string, args: readonly string[]): Promise<Ended> {
  const options = { cwd: root, timeout: 40_000, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
  });
}

describe.concurrent("every npm script", { timeout: 60_000 }, () => {
  it("is among those that are looked at", () => {
    expect(commands.length).toBeGreaterThanOrEqual(Object.keys(scripts).length - 1);
  });

  it.each(commands)("%s prints what it takes with --help, and does nothing else", async (_, words) => {
    const { code, stdout, stderr } = await run([...words, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("--help");
    // Without -s the lines that npm prints before would be in what is piped on or read as JSON.
    const lines = stdout.split("\n").filter((line) => /npm run .*( --json| > )/.test(line));
    expect(lines.filter((line) => !/npm run -s /.test(line))).toEqual([]);
    if (/^ +--json [^<]*as JSON/m.test(stdout)) expect(stdout).toContain("npm run -s");
  });

  it.each(commands)("%s refuses an option that it does not have", async (_, words) => {
    const { code, stdout, stderr } = await run([...words, "--no-such-option"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("--no-such-option");
    expect(stderr).not.toContain("    at ");
  });
});

describe.concurrent("scripts", { timeout: 60_000 }, () => {
  it.each([
    ["scripts/simulate.ts", "--seeds", "x"],
    ["scripts/simulate.ts", "--workers", "0"],
    ["scripts/simulate.ts", "--plan", "no-such-file"],
    ["scripts/fuzz.ts", "--frames", "x"],
    ["scripts/soak/main.ts", "--clients", "x"],
    ["scripts/bench-shared-lane.ts", "--peers", "x"],
    ["scripts/chaos-log.ts", "--kills", "x"],
    ["examples/iss-telemetry/main.ts", "--seconds", "x"],
    ["examples/iss-telemetry/main.ts", "--at", "x"],
  ])("%s %s %s is refused in a sentence", async (file, option, value) => {
    const { code, stdout, stderr } = await run([file, option, value]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`${option} `);
    expect(stderr.trimEnd().split("\n").length).toBe(2);
  });

  it("end without a word when nobody reads what they print any more", async () => {
    const command = `"${process.execPath}" --conditions=@fanfare/source scripts/simulate.ts --seed 7 --trace`;
    const shell = ["-c", `set -o pipefail; ${command} | head -n 1`];
    const { code, stderr } = await ended("bash", shell);
    expect(stderr).toBe("");
    expect([0, 141]).toContain(code);
  });

  it.each([
    ["", 141],
    ["process.exitCode = 1;", 1],
    ["process.exitCode = 0;", 0],
  ])("keep their verdict when nobody reads what they print any more, after %j", async (verdict, expected) => {
    const file = JSON.stringify(new URL("script-options.ts", import.meta.url).href);
    const program = `const { scriptOptions } = await import(${file}); scriptOptions("", {}); ${verdict}
      setInterval(() => console.log("more"), 5);`;
    const command = `"${process.execPath}" --conditions=@fanfare/source --input-type=module --eval '${program}'`;
    const shell = ["-c", `set -o pipefail; ${command} | head -n 1`];
    expect(await ended("bash", shell)).toMatchObject({ code: expected, stderr: "" });
  });

  it("print JSON alone with npm run -s, as their --help says", async () => {
    const { code, stdout } = await ended("npm", ["run", "-s", "simulate", "--", "--seed", "7", "--json"]);
    expect({ code, result: JSON.parse(stdout) }).toMatchObject({ code: 0, result: { seed: 7 } });
  });

  it("show steps that there are as examples of --only", async () => {
    const { stdout } = await run(["scripts/check.ts", "--help"]);
    const shown = [...stdout.matchAll(/--only (\w\S*)/g)].map(([, name]) => name);
    expect(shown.length).toBeGreaterThan(0);
    const names = checkSteps.map(({ name }) => name);
    expect(shown.filter((name) => name !== undefined && !names.includes(name))).toEqual([]);
  });
});
