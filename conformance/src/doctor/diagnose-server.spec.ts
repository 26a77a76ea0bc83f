import { describe, expect, it } from "vitest";
import { openReference } from "../mutants/reference-environment.ts";
import { diagnoseServer } from "./diagnose-server.ts";
import type { Finding } from "./finding.ts";

async function findings(environment: Parameters<typeof diagnoseServer>[0]): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of diagnoseServer(environment)) found.push(finding);
  return found;
}

describe("diagnoseServer", () => {
  it("finds nothing wrong with the reference server", async () => {
    await using environment = await openReference();
    const found = await findings(environment);
    expect(found.length).toBe(9);
    expect(found.filter(({ problem }) => problem !== undefined)).toEqual([]);
  });

  it("stops at the first thing that is wrong and says what to do", async () => {
    await using environment = await openReference(
      new Set(["no-pong-for-id-0", "publish-unchecked", "self-never-served"]),
    );
    const found = await findings({ ...environment, patienceMs: 300 });
    expect(found.at(-1)).toMatchObject({ name: "a message that is published comes back to its subscriber" });
    expect(found.at(-1)?.remedy).toContain("FF-PB-006");
  });

  it("says that nobody listens", async () => {
    await using environment = await openReference();
    const shared = { addresses: ["ws://127.0.0.1:1/v1/connect"], control: undefined };
    const [first, ...others] = await findings({ ...environment, shared });
    expect(first?.problem).toContain("ECONNREFUSED");
    expect(others).toEqual([]);
  });
});
