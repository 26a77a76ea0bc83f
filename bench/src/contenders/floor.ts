/**
 * The floor: the least that a Node process can do to send one message to many sockets, one write each. It sends the bytes that
 * Fanfare sends for the message, in one buffer for all members, to plain TCP sockets. It parses nothing it receives but the
 * publisher's record, checks nothing, and joins nothing.
 */
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { binaryPayloadOffset, walkServerFrames } from "../load/server-frame-walker.ts";
import { scenarioOfThisProcess, serveLoadProcess } from "./contender-side.ts";
import { listenForRecords } from "./control-listener.ts";
import { portOf } from "./listen.ts";
import { sampleServerFramesBytes } from "./wire-sample.ts";

const body = sampleServerFramesBytes(scenarioOfThisProcess());
const header =
  body.length < 126 ? Buffer.from([0x82, body.length]) : Buffer.from([0x82, 126, body.length >> 8, body.length & 0xff]);
const template = Buffer.concat([header, body]);
let stampOffset = 0;
walkServerFrames(template, header.length, template.length, {
  message: (bytes, start, end) => {
    stampOffset = binaryPayloadOffset(bytes, start, end);
  },
  other: () => {},
});

const members: Socket[] = [];

const webSocketPort = await portOf(
  createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (request) => {
      socket.write(acceptance(request.toString("latin1")));
      socket.on("data", () => {});
      members.push(socket);
    });
  }),
);

const controlPort = await listenForRecords((stamp) => {
  const frame = Buffer.from(template);
  stamp.copy(frame, stampOffset);
  for (const socket of members) socket.write(frame);
});

serveLoadProcess({ port: webSocketPort, controlPort }, () => {});

function acceptance(request: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}
