import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

/** Listens on a free port of 127.0.0.1, with room for a thousand connections at once, and resolves with the port. */
export async function portOf(server: Server): Promise<number> {
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
