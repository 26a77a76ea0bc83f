import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { loadSuites } from "../../cases/load-suites.ts";
import { readRequirements } from "../../cases/requirements.ts";
import { runClientSuite } from "../../client-mode/run-client-suite.ts";

const chromium = requireTool("chromium");
const node = `${process.execPath} --conditions=@fanfare/source`;
const root = fileURLToPath(new URL("../../../..", import.meta.url));

describe.skipIf(chromium === undefined)("the adapter of the browser's SDK", () => {
  beforeAll(() =>
    promisify(execFile)(process.execPath, ["--conditions=@fanfare/source", `${root}/scripts/build-pages.ts`]),
  );

  it.each([
    ["of its own", ""],
    ["of another origin", "--origin https://game.example"],
  ])(
    "connects and publishes from a page %s",
    async (_, options) => {
      const { implementation, results } = await runClientSuite(
        loadSuites(readRequirements()),
        { adapter: `${node} conformance/src/adapters/browser-sdk/main.ts ${options}`, patienceMs: 5_000 },
        { selection: { cases: ["client/core/publish"] } },
      );
      expect(implementation).toBe("fanfare-sdk-browser");
      expect(results.map(({ status, message }) => [status, message])).toEqual([[CaseStatus.PASS, ""]]);
    },
    60_000,
  );
});
