import { join } from "node:path";
import { command } from "./command.ts";
import { entryPoints, root } from "./packages.ts";

// The reference of the SDKs. typedoc needs the compiler's JavaScript API, so docs/ has a TypeScript of its own.
const sources = ["sdk-core", "sdk-browser", "sdk-node"].flatMap(entryPoints).map(({ source }) => source);
await command([join(root, "docs/node_modules/.bin/typedoc"), ...sources], { cwd: join(root, "docs"), show: true });
