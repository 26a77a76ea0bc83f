import { requireTool } from "../test/require-tool.ts";
import { command } from "./command.ts";

// node scripts/python-client.ts: holds the client in Python to its style, its types and its tests. `npm run conformance` holds it against the suite.
const python = requireTool("python3");
if (python !== undefined) await command([python, "conformance/clients/python/check.py"], { show: true });
