import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { until } from "../../server/src/testing/valkey-processes.ts";
import { FanfareNode } from "./fanfare-node.ts";

const folder = mkdtempSync(join(tmpdir(), "fanfare-node-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A node that says that it serves, and does this at SIGTERM and at its start. */
async function started(atSigterm: string, atStart = ""): Promise<FanfareNode> {
  const program = join(folder, `${crypto.randomUUID()}.mjs`);
  const lines = [
    `process.on("SIGTERM", () => { ${atSigterm} });`,
    "setInterval(() => {}, 1000);",
    `process.send({ url: "http://127.0.0.1:4711" }, () => { ${atStart} });`,
  ];
  writeFileSync(program, lines.join("\n"));
  const node = new FanfareNode("n1", [], true, { program, drainMs: 500 });
  await node.start();
  return node;
}

it("finds nothing wrong with a node that is drained and ends with 0, or is killed", async () => {
  await using drained = await started("process.exit(0)");
  await drained.drain();
  await using killed = await started("");
  await killed.kill();
  expect([drained, killed].map(({ unexpectedEnds, isUp }) => ({ unexpectedEnds, isUp }))).toEqual([
    { unexpectedEnds: [], isUp: false },
    { unexpectedEnds: [], isUp: false },
  ]);
});

it("notes a node that ends by itself, and what it said", async () => {
  await using node = await started("", 'console.error("out of luck"); process.exit(3)');
  await until(async () => !node.isUp);
  expect(node.unexpectedEnds).toEqual(["node n1 ended by itself, with 3:\nout of luck"]);
  await node.kill();
  expect(node.unexpectedEnds).toHaveLength(1);
});

it("notes a drained node that ends with something else than 0, or does not end", async () => {
  await using failing = await started('console.error("cannot"); process.exit(1)');
  await failing.drain();
  expect(failing.unexpectedEnds).toEqual(["node n1 was drained and ended, with 1:\ncannot"]);
  await using stuck = await started('console.error("waiting")');
  await stuck.drain();
  expect(stuck.unexpectedEnds).toEqual([
    "node n1 was drained, had not ended after 500 ms and was killed, with SIGKILL:\nwaiting",
  ]);
});
