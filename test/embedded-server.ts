import { once } from "node:events";
import { devConfig, loadConfig, startServer } from "@fanfare/server";

// A development server as a process of its own: prints its address once it serves, closes when its stdin ends.
const environment = { FANFARE_LISTEN_HOST: "127.0.0.1", FANFARE_LISTEN_PORT: "0" };
const server = await startServer({ config: loadConfig({ base: devConfig().config, environment }) });
console.log(server.url);
process.stdin.resume();
await once(process.stdin, "end");
await server.close();
