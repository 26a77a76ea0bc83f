import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../bin/fanfare.js", import.meta.url));
/** As Node.js before 22.15 is. */
const withoutExecve = "data:text/javascript,delete process.execve";

describe("the command of the repository", () => {
  it.each([
    ["where Node can replace a process", []],
    ["where it cannot", ["--import", withoutExecve]],
  ])("passes arguments, output and exit code on, %s", async (_, options) => {
    const child = spawn(process.execPath, [...options, bin, "sub"], { stdio: ["ignore", "ignore", "pipe"] });
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("nothing to receive")]);
  });
});
