import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./scripts/closing-line-reporter.ts";

const workspaces = ["proto", "sdk-core", "sdk-browser", "sdk-node", "server", "cli", "conformance", "bench"];

/** Packages resolve each other to their sources, so that no test runs against a stale build. */
export default defineConfig({
  resolve: { conditions: ["@fanfare/source", "node", "import", "default"] },
  ssr: {
    resolve: { conditions: ["@fanfare/source", "node", "import", "default"], externalConditions: ["@fanfare/source"] },
  },
  test: {
    include: [
      ...workspaces.map((name) => `${name}/src/**/*.spec.ts`),
      "cli/playground/testing/*.spec.ts",
      "examples/*/**/*.spec.ts",
      "scripts/**/*.spec.ts",
      "test/**/*.spec.ts",
    ],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    reporters: ["default", new ClosingLineReporter()],
  },
});
