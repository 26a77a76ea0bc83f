import { describe, expect, it } from "vitest";
import { warnOfEviction } from "./eviction-policy.ts";
import type { Destination } from "./valkey-client.ts";

/** What is warned of where each primary answers so. */
async function warned(answers: Readonly<Record<string, string | Error>>): Promise<unknown[]> {
  const warnings: unknown[] = [];
  const send = async (_command: unknown, destination: Destination, primary: string) => {
    expect(destination).toEqual({ slotOf: `{tag of ${primary}}` });
    const answer = answers[primary];
    if (answer instanceof Error) throw answer;
    return Buffer.from(answer ?? "");
  };
  const topology = { primaries: Object.keys(answers), tagOf: (id: string) => `tag of ${id}` };
  await warnOfEviction({ client: { send }, topology, log: { warn: (_message, fields) => warnings.push(fields) } });
  return warnings;
}

const memory = (policy: string) => `# Memory\r\nused_memory:1\r\nmaxmemory_policy:${policy}\r\nmaxmemory:0\r\n`;

describe("what Valkey does when its memory is full", () => {
  it("is warned of where it throws keys away, primary by primary", async () => {
    const answers = { a: memory("noeviction"), b: memory("allkeys-lru"), c: memory("volatile-ttl") };
    expect(await warned(answers)).toEqual([
      { primary: "b", policy: "allkeys-lru" },
      { primary: "c", policy: "volatile-ttl" },
    ]);
  });

  it("is nothing to speak of where it is not known", async () => {
    expect(await warned({ a: new Error("timed out"), b: "# Memory\r\n" })).toEqual([]);
  });
});
