import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";

// proto/gen is what `buf generate` makes of proto/: nothing edited, nothing left over, nothing missing.
await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-generated-"));
await command(["buf", "generate", "--output", folder.path]);
await command(["diff", "-r", "-u", "proto/gen", join(folder.path, "proto/gen")], { show: true });
console.log("proto/gen is up to date");
