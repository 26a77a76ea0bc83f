import { command } from "./command.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run fix

Formats everything, and applies the fixes that the linter calls safe.

  --help  print this`,
  {},
);
await command(["buf", "format", "-w"], { show: true });
await command(["biome", "check", "--write"], { show: true });
