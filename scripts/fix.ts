import { command } from "./command.ts";

// npm run fix: formats everything and applies the fixes that the linter calls safe.
await command(["buf", "format", "-w"], { show: true });
await command(["biome", "check", "--write"], { show: true });
