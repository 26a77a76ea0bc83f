import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../bin/fanfare.js", import.meta.url));
/** As Node.js before 22.15 is. */
const withoutExecve = "data:text/javascript,delete process.execve";

async function run(args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
  const child = spawn(process.execPath, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, stderr };
}

describe("the command of the repository", () => {
  it.each([
    ["where Node can replace a process", []],
    ["where it cannot", ["--import", withoutExecve]],
  ])("passes arguments, output and exit code on, %s", async (_, options) => {
    const { code, stderr } = await run([...options, bin, "sub"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("nothing to receive")]);
  });

  it("reads files where npx was called, which goes to the package around", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-bin-"));
    const inner = join(folder.path, "inner");
    await mkdir(inner);
    await writeFile(join(inner, "fanfare.yaml"), "listen: { port: 70000 }\n");
    const { INIT_CWD: _, npm_command: __, ...inherited } = process.env;
    const args = [bin, "serve", "--config", "fanfare.yaml"];
    const env = { ...inherited, npm_command: "exec", INIT_CWD: inner };
    expect((await run(args, { cwd: folder.path, env })).stderr).toContain("fanfare.yaml: line 1: listen.port");
    const plain = await run(args, { cwd: folder.path, env: inherited });
    expect(plain.stderr).toContain("fanfare.yaml cannot be read: does not exist");
  });
});
