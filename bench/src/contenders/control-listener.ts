import { createServer } from "node:net";
import { stampBytes } from "../load/stamp.ts";
import { portOf } from "./listen.ts";

/**
 * Takes the publishes of contenders that have no protocol of their own: connections that send records of 16 bytes, the stamp that
 * the message is to carry. Resolves with the TCP port.
 */
export async function listenForRecords(onRecord: (stamp: Buffer) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let offset = 0;
      for (; bytes.length - offset >= stampBytes; offset += stampBytes) {
        onRecord(bytes.subarray(offset, offset + stampBytes));
      }
      rest = bytes.subarray(offset);
    });
  });
  return portOf(server);
}
