/** What a plain `ws` server does: `send` the payload to every client, framed anew for each. */
import { createServer } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { stampedPayload } from "../load/stamp.ts";
import { scenarioOfThisProcess, serveLoadProcess } from "./contender-side.ts";
import { listenForRecords } from "./control-listener.ts";
import { portOf } from "./listen.ts";

const { payloadBytes } = scenarioOfThisProcess();
const template = stampedPayload(payloadBytes, { sentAtMs: 0, publisher: 0, counter: 0 });
const members: WebSocket[] = [];

const http = createServer();
new WebSocketServer({ server: http, perMessageDeflate: false }).on("connection", (socket) => {
  socket.on("error", () => socket.terminate());
  members.push(socket);
});

const port = await portOf(http);

const controlPort = await listenForRecords((stamp) => {
  const payload = Buffer.from(template);
  stamp.copy(payload, 0);
  for (const socket of members) socket.send(payload);
});

serveLoadProcess({ port, controlPort }, () => {});
