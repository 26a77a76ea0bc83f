import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { CuttableWay } from "./cuttable-way.ts";

it("leads to the port, says nothing at all while it is cut, and goes on where it was", async () => {
  await using cleanup = new AsyncDisposableStack();
  const arrived: string[] = [];
  const events: string[] = [];
  const server = createServer((socket) => {
    cleanup.defer(() => void socket.destroy());
    socket.on("data", (chunk) => {
      arrived.push(`${chunk}`);
      server.emit("arrived");
      if (`${chunk}` === "ask") socket.write("answer");
    });
    socket.on("close", () => server.emit("gone"));
  }).listen(0, "127.0.0.1");
  cleanup.defer(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const way = cleanup.use(await CuttableWay.open([port]));
  const opened = async (host: string): Promise<Socket> => {
    const socket = connect({ host, port });
    cleanup.defer(() => void socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const near = await opened(way.host);
  near.write("ask");
  expect(`${await once(near, "data")}`).toBe("answer");

  way.cut();
  for (const event of ["data", "close"]) near.on(event, () => events.push(event));
  near.write("ask");
  (await opened(way.host)).write("who came meanwhile");
  // What goes straight to the port overtakes all of that.
  const straight = await opened("127.0.0.1");
  straight.write("ask");
  await once(straight, "data");
  expect({ arrived, events }).toEqual({ arrived: ["ask", "ask"], events: [] });

  way.mend();
  await once(near, "data");
  while (arrived.length < 4) await once(server, "arrived");
  expect(arrived.sort()).toEqual(["ask", "ask", "ask", "who came meanwhile"]);
  near.destroy();
  await once(server, "gone");
});
