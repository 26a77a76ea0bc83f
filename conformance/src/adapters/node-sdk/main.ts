import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { ClientCommandSchema, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { connect } from "@fanfare/sdk-node";
import { framed, readFramed } from "../length-prefixed.ts";
import { SdkAdapter } from "../sdk/sdk-adapter.ts";

// The adapter of @fanfare/sdk-node: does what commands on standard input say, and reports on standard output.

/** TCP connections of this process: all of them are the client's. */
const sockets = new Set<Socket>();
subscribe("net.client.socket", (message) => {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
});

const adapter = new SdkAdapter({
  name: "fanfare-sdk-node",
  connect,
  report: (report) => void process.stdout.write(framed(ClientReportSchema, create(ClientReportSchema, { report }))),
  dropTransport: async () => {
    const gone = Array.from(sockets, (socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of sockets) socket.resetAndDestroy();
    await Promise.all(gone);
  },
});
adapter.ready();
for await (const command of readFramed(ClientCommandSchema, process.stdin)) void adapter.execute(command);
process.exit(0);
