import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";

const program = join("node_modules", ".bin", "fanfare-conformance");

/** What a user of the installed package does, in the words of its README, and what has to be printed then. */
const uses: readonly (readonly [readonly string[], RegExp])[] = [
  [["list", "--profile", "core"], /^\d{2,} cases$/m],
  [["explain", "core/handshake/welcome-is-complete"], /suites\/core-handshake\.yaml:\d+/],
  [["doctor", "--target", "target.yaml"], /The target can be run against\./],
  [["doctor", "--adapter", "node adapter.mjs"], /The adapter can be run against\./],
  [["server", "--target", "target.yaml", "--case", "core/handshake", "--json", "server.json"], /^all +\d{2,} +0 /m],
  [
    ["client", "--adapter", "node adapter.mjs", "--case", "client/core/connects", "client/core/publish"],
    /^all +2 +0 /m,
  ],
  [["report", "server.json", "--html", "server.html"], /fanfare-server/],
  [
    ["all", "--config", "conformance.yaml", "--case", "core/tokens", "client/core/order"],
    /everything is as it has to be/,
  ],
  [["matrix", "--config", "conformance.yaml", "--case", "pair/core/exchange"], /pair\/core\/exchange +✓/],
];

/** Uses the conformance suite as it was installed from its package, with the packed server and SDK. @param consumer where it is installed */
export async function checkPackedConformance(consumer: string): Promise<void> {
  await cp(join(consumer, "node_modules/@fanfare/conformance/examples"), consumer, { recursive: true });
  const installed = { cwd: consumer, env: { NODE_OPTIONS: "" } };
  for (const [words, printed] of uses) {
    const output = await command([program, ...words], installed);
    if (!printed.test(output)) throw new Error(`fanfare-conformance ${words.join(" ")} printed ${output}`);
    console.log(`fanfare-conformance ${words.join(" ")} runs`);
  }
  const page = await readFile(join(consumer, "server.html"), "utf8");
  if (!page.includes("<h2>Servers</h2>")) throw new Error("the HTML report has no matrix of servers");
}
