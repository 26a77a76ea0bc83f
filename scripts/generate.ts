import { command } from "./command.ts";
import { generators } from "./generators.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run proto

Writes everything that is made from proto/, docs/PROTOCOL.md and the compiled examples.

  --help  print this`,
  {},
);
await command(["buf", "generate"], { show: true });
for (const script of generators) {
  await command(["node", "--conditions=@fanfare/source", `scripts/${script}`], { show: true });
}
