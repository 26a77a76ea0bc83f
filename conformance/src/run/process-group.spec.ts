import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** An adapter that never gets ready, and does not end with its input. Its connection tells that it runs. */
const adapter = (port: number, then: string) => `
  import { connect } from "node:net";
  process.on("SIGTERM", () => {});
  setInterval(() => {}, 1_000);
  const socket = connect(${port}, "127.0.0.1", () => socket.write("x", () => { ${then} }));`;

describe("the runner", () => {
  it.each([
    ["SIGTERM", "does not listen to it", ""],
    ["SIGINT", "does not listen to it", ""],
    ["SIGTERM", "stands still", 'process.kill(process.pid, "SIGSTOP")'],
  ] as const)("told to end by %s ends an adapter that %s, and itself", async (signal, _, then) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-group-"));
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const file = join(folder.path, "adapter.mjs");
    await writeFile(file, adapter((server.address() as AddressInfo).port, then));
    // The shell stays, so that the adapter is not the one process that the runner knows.
    const runner = run(["client", "--adapter", `'${process.execPath}' '${file}'; true`, "--concurrency", "1"]);
    try {
      const [socket] = (await once(server, "connection")) as [Socket];
      socket.on("error", () => {}).resume();
      await once(socket, "data");
      const ended = Promise.all([once(runner, "exit"), once(socket, "close")]);
      runner.kill(signal);
      expect((await ended)[0]).toEqual([null, signal]);
    } finally {
      runner.kill("SIGKILL");
      server.close();
    }
  });
});

function run(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--conditions=@fanfare/source", main, ...args], { stdio: "ignore" });
}
