import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { loadConfig, startServer } from "@fanfare/server";
import { fixtureFile } from "../target/fixtures.ts";

// Two of Fanfare's own nodes over a Valkey of their own, with the fixtures, as a disposable server whose addresses are those of the nodes. To move
// its clients it drains the first node.

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts a Valkey that keeps nothing and ends with this process. */
async function startValkey(): Promise<number> {
  const port = await freePort();
  const program = process.env.FANFARE_VALKEY_SERVER ?? "valkey-server";
  const child = spawn(program, ["--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"], {
    stdio: "ignore",
  });
  process.once("exit", () => child.kill("SIGKILL"));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`valkey-server ended with ${child.exitCode}`);
    // Another one may have taken the port meanwhile.
    if ((await processAt(port)) === child.pid) return port;
    await pause(20);
  }
}

/** Id of the process of the Valkey that answers at a port; undefined: none does yet. */
async function processAt(port: number): Promise<number | undefined> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8").setTimeout(1_000);
  let answer = "";
  socket.write("INFO server\r\n");
  try {
    for await (const chunk of socket) {
      answer += chunk as string;
      const id = /process_id:(\d+)/.exec(answer)?.[1];
      if (id !== undefined) return Number(id);
    }
  } catch {
    // not there yet
  }
  return undefined;
}

const port = await startValkey();
const fixtures = readFileSync(fixtureFile("server-config.yaml"), "utf8");
const shared = `
valkey: { addresses: ["127.0.0.1:${port}"], keyPrefix: conformance-${process.pid} }
clusterKeys: [{ id: conformance, secret: conformance secret of the cluster's nodes }]
`;
const nodes = await Promise.all(
  ["one", "two"].map((nodeId) => {
    const text = fixtures.replace(/^nodeId: .*$/m, `nodeId: ${nodeId}`) + shared;
    return startServer({ config: loadConfig({ text, environment: {} }) });
  }),
);
const addresses = nodes.map(({ url }) => `${url.replace(/^http/, "ws")}/v1/connect`);
// Calls go to the node that case's first client is not at.
console.log(JSON.stringify({ addresses, controlUrl: nodes[1]?.url }));

interface Line {
  readonly move?: { readonly windowMs: number; readonly deadlineMs: number };
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { move } = JSON.parse(line) as Line;
  if (move !== undefined) void nodes[0]?.drain(move).done;
});
await once(lines, "close");
await Promise.all(nodes.map((node) => node.close()));
process.exit(0);
