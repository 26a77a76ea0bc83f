import { command } from "./command.ts";
import { generators } from "./generators.ts";

// npm run proto: everything that is made from proto/, docs/PROTOCOL.md and the compiled examples, in this order.
await command(["buf", "generate"], { show: true });
for (const script of generators) {
  await command(["node", "--conditions=@fanfare/source", `scripts/${script}`], { show: true });
}
