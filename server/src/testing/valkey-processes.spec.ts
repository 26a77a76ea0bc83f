import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { startCluster, startStandalone, until } from "./valkey-processes.ts";

/** The temporary folder meanwhile. */
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fanfare-temporary-"));
  vi.stubEnv("TMPDIR", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe("without Valkey", () => {
  beforeEach(() => vi.stubEnv("FANFARE_VALKEY_SERVER", join(folder, "no-valkey-server")));

  it.each([
    ["one", startStandalone],
    ["a cluster", startCluster],
  ])("%s does not start, says what to install, and leaves nothing behind", async (_, start) => {
    await expect(start()).rejects.toThrow(/^valkey-server is missing: install valkey-server and valkey-tools/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.skipIf(requireTool("valkey-server") === undefined)("a Valkey", () => {
  it("that cannot start leaves nothing behind", async () => {
    await expect(startStandalone(0, ["--no-such-option", "1"])).rejects.toThrow("exited while it started");
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "ends with a process that ends by %s, also where it stands still",
    async (signal) => {
      const file = JSON.stringify(new URL("valkey-processes.ts", import.meta.url).href);
      const program = `const { startStandalone } = await import(${file});
      const { processes: [one] } = await startStandalone();
      const pid = /process_id:(\\d+)/.exec(await one.command("INFO", "server"))[1];
      one.pause();
      console.log(pid);
      setInterval(() => {}, 1000);`;
      const args = ["--conditions=@fanfare/source", "--input-type=module", "--eval", program];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const [pid] = (await once(child.stdout, "data")) as [Buffer];
      expect(readdirSync(folder)).toHaveLength(1);
      child.kill(signal);
      expect(await once(child, "exit")).toEqual([null, signal]);
      const isGone = async () => {
        try {
          process.kill(Number(pid), 0);
          return false;
        } catch {
          return true;
        }
      };
      await until(isGone);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

it("tells the last reason where the answer was never yes", async () => {
  const failing = until(async () => Promise.reject(new Error("nobody is there")), 1);
  await expect(failing).rejects.toThrow("nobody is there");
});
