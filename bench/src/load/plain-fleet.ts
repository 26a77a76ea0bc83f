import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Ready } from "../contenders/messages.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { Deliveries } from "./deliveries.ts";
import { type Fleet, openMany } from "./fleet.ts";
import { opcodes } from "./frame-parser.ts";
import { openRawWebSocket, type RawWebSocket } from "./raw-websocket.ts";
import { binaryPayloadOffset, walkServerFrames } from "./server-frame-walker.ts";
import { stampBytes, writeStamp } from "./stamp.ts";

/** How the bytes of a WebSocket message are read: as the payload alone, or as Fanfare's ServerFrames. */
export type Wire = "payload" | "server-frames";

/** Connects members that only receive, and publishers that send control records. */
export async function openPlainFleet(scenario: Scenario, ready: Ready, wire: Wire): Promise<Fleet> {
  const deliveries = new Deliveries(scenario.members, scenario.publishers);
  const members = await openMany(scenario.members, (member) => openMember(ready.port, member, wire, deliveries));
  const publishers = await openMany(scenario.publishers, () => openPublisher(ready.controlPort!));
  const counters = new Uint32Array(scenario.publishers);
  return {
    deliveries,
    unanswered: 0,
    publish: (publisher) => {
      const record = new Uint8Array(stampBytes);
      writeStamp(record, 0, { sentAtMs: performance.now(), publisher, counter: counters[publisher]!++ });
      publishers[publisher]!.write(record);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of publishers) socket.destroy();
      for (const member of members) member.destroy();
    },
  };
}

function openMember(port: number, member: number, wire: Wire, deliveries: Deliveries): Promise<RawWebSocket> {
  const sampled = deliveries.isSampled(member);
  const visitor = {
    message: (bytes: Uint8Array, start: number, end: number): void => {
      deliveries.count(member);
      if (sampled) deliveries.sample(member, bytes, binaryPayloadOffset(bytes, start, end));
    },
    other: () => deliveries.problem("a frame that is no message"),
  };
  return openRawWebSocket({
    host: "127.0.0.1",
    port,
    path: "/",
    onMessage: (opcode, bytes, start, end) => {
      if (opcode !== opcodes.binary) return deliveries.problem(`member ${member} got opcode ${opcode}`);
      deliveries.webSocketMessages++;
      deliveries.bytes += end - start;
      if (wire === "server-frames") return walkServerFrames(bytes, start, end, visitor);
      deliveries.count(member);
      if (sampled) deliveries.sample(member, bytes, start);
    },
    onClose: (reason) => deliveries.problem(`member ${member} was disconnected: ${reason}`),
  });
}

async function openPublisher(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  return socket;
}
