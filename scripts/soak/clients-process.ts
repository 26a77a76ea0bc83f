import { CutConnections } from "./cut-connections.ts";
import type { ClientsFigures, ClientsTask, FromClients, ToClients } from "./messages.ts";
import { SoakClient } from "./soak-client.ts";

// A part of a soak test's clients as a process of its own: its task is the first argument, it talks over IPC.
const task = JSON.parse(process.argv[2] ?? "") as ClientsTask;
const cutting = new CutConnections(Number(new URL(task.url).port));
const figures: ClientsFigures = { cuts: 0, reconnects: 0, resumes: 0, recovered: 0, gaps: 0, received: 0 };
const reconnectMs: number[] = [];
const clients: SoakClient[] = [];

const tell = (message: FromClients) => process.send?.(message);
const current = (): ClientsFigures => ({ ...figures, cuts: cutting.cuts });

async function finish(published: readonly number[], patienceMs: number): Promise<void> {
  cutting.stop();
  const deadline = performance.now() + patienceMs;
  while (!clients.every((client) => client.has(published)) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // What comes twice may come late.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const faults = { lost: 0, doubled: 0, outOfOrder: 0 };
  for (const { lost, doubled, outOfOrder } of clients.flatMap((client) => client.faults(published))) {
    faults.lost += lost;
    faults.doubled += doubled;
    faults.outOfOrder += outOfOrder;
  }
  tell({ kind: "report", figures: current(), faults, reconnectMs });
}

process.on("message", (message: ToClients) => {
  if (message.kind === "finish") return void finish(message.published, message.patienceMs);
  cutting.start(task.cutAfterMs);
  setInterval(() => tell({ kind: "progress", figures: current() }), 1000);
});
process.once("disconnect", () => process.exit(0));

const numbers = Array.from({ length: task.count }, (_, i) => task.first + i);
for (let i = 0; i < numbers.length; i += 50) {
  const opening = numbers.slice(i, i + 50).map((number) => SoakClient.open(number, task, figures, reconnectMs));
  clients.push(...(await Promise.all(opening)));
}
tell({ kind: "ready" });
