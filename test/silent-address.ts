import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** Listens with room for one connection and then stands still. */
const program = `require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, function () {
  process.stdout.write(String(this.address().port), () => process.kill(process.pid, "SIGSTOP"));
})`;

/** An address of loopback that answers nothing to who connects to it, as that of a machine that is gone: not even a refusal. */
export interface SilentAddress extends AsyncDisposable {
  readonly url: string;
}

/** What it is made of: a socket whose queue of connections is full, so that the system ignores further ones. */
export async function silentAddress(): Promise<SilentAddress> {
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const port = Number(String(await once(child.stdout, "data")));
  const sockets: Socket[] = [];
  while (true) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    sockets.push(socket);
    const isIn = await Promise.race([once(socket, "connect").then(() => true), pause(300, false)]);
    if (!isIn) break;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
