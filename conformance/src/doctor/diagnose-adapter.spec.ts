import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AdapterPatience, diagnoseAdapter } from "./diagnose-adapter.ts";
import type { Finding } from "./finding.ts";

const nodeSdk = `${process.execPath} --conditions=@fanfare/source conformance/src/adapters/node-sdk/main.ts`;

async function findings(adapter: string, patience?: AdapterPatience): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of diagnoseAdapter(adapter, patience)) found.push(finding);
  return found;
}

/** A program of one line that writes something, and ends with its input. */
function writes(text: string): string {
  return `${process.execPath} -e 'process.stdout.write(${JSON.stringify(text)}); process.stdin.resume()'`;
}

const ready = '{"ready":{"client":"mine","verbs":["connect","close"]}}\n';

describe("diagnoseAdapter", { timeout: 60_000 }, () => {
  it("finds nothing wrong with the Node SDK's adapter", async () => {
    const found = await findings(nodeSdk);
    expect(found.filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(found.at(-1)?.name).toBe("it ends when its standard input ends");
    expect(found.length).toBe(11);
  });

  it.each([
    ["is not there", "./no-such-adapter", "ended with 127", "finds no such program"],
    [
      "fails at once",
      "echo broken >&2; exit 3",
      "ended with 3 before it wrote anything. On standard error: broken",
      "by hand",
    ],
    [
      "logs to its standard output",
      writes("starting up\n"),
      'a text to its standard output: "starting up',
      "standard error",
    ],
    ["says something else first", writes('{"status":{"state":1}}\n'), "it is status", "Report `ready` first"],
    [
      "names a verb that is none",
      writes(ready.replace("close", "clos")),
      "clos, which is no verb (did you mean close?)",
      "There are connect",
    ],
    ["cannot close", writes(ready.replace(',"close"', "")), "ready.verbs lacks close", "at least connect and close"],
    ["never connects", writes(ready), "the client opens no connection", "ConnectCommand.url"],
  ])("says of a program that %s what is wrong and what to do", async (_, adapter, problem, remedy) => {
    const last = (await findings(adapter, { patienceMs: 300 })).at(-1);
    expect(last?.problem).toContain(problem);
    expect(last?.remedy).toContain(remedy);
  });

  it("does not wait for ever for a program that says nothing", async () => {
    const [only] = await findings(`${process.execPath} -e "process.stdin.resume()"`, { startMs: 200 });
    expect(only?.problem).toContain("it wrote nothing in 200 ms");
  });

  it("notices a program that outlives its standard input, and ends it", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-doctor-"));
    const firstAlone = `mkdir '${folder.path}/first' 2>/dev/null && outlives=1`;
    const found = await findings(`${firstAlone}; ${nodeSdk}; [ -z "$outlives" ] || sleep 60`, { endMs: 300 });
    expect(found.at(-1)?.problem).toContain("it still ran 300 ms later");
  });
});
