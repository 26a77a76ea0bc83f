import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { CommandError, command } from "./command.ts";

it("returns what a command printed, and says how it failed", async () => {
  expect(await command(["sh", "-c", "echo out; echo err >&2"])).toMatch(/^(out\nerr|err\nout)\n$/);
  await expect(command(["sh", "-c", "echo no; exit 3"])).rejects.toThrow(CommandError);
  await expect(command(["sh", "-c", "echo no; exit 3"])).rejects.toMatchObject({ output: "no\n" });
});

it("lets no command run on when a signal ends whoever runs it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const file = JSON.stringify(new URL("command.ts", import.meta.url).href);
  const { port } = server.address() as AddressInfo;
  const program = `const { command } = await import(${file});
    await command([process.execPath, "-e", "require('node:net').connect(${port}, '127.0.0.1')"]);`;
  const args = ["--conditions=@fanfare/source", "--input-type=module", "--eval", program];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const [connection] = (await once(server, "connection")) as [Socket];
  connection.resume().on("error", () => {});
  const isOver = once(connection, "close");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
  await isOver;
  server.close();
});
