import { rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { publishedPackages, root } from "./packages.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run build

Compiles every package into its dist/, as it is published, and bundles the browser pages.

  --help  print this`,
  {},
);

// Each package against the dist/ of those before it, as its users will have them.
for (const folder of publishedPackages) {
  const startedAtMs = performance.now();
  await rm(join(root, folder, "dist"), { recursive: true, force: true });
  await command(["tsc", "-p", join(folder, "tsconfig.build.json")], { show: true });
  console.log(`Built ${folder} in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s.`);
}
await command(["node", "--conditions=@fanfare/source", "scripts/build-pages.ts"], { show: true });
