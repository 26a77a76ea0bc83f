import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { within } from "../testing/test-client.ts";
import { Listener, type ListenerOptions } from "./listener.ts";

async function open(options: Partial<ListenerOptions>): Promise<Listener & AsyncDisposable> {
  const listener = new Listener({
    ...{ host: "127.0.0.1", port: 0, tls: undefined, index: 0, maxSockets: 10, headTimeoutMs: 60_000 },
    onUpgrade: () => {},
    onRequest: (_, response) => response.end("served"),
    onDropped: () => {},
    ...options,
  });
  await listener.open();
  return Object.assign(listener, { [Symbol.asyncDispose]: () => listener.close() });
}

function dial({ port }: Listener): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.resume();
  return socket;
}

describe("a listener", () => {
  it("closes sockets past its bound as they come, and takes others when some have gone", async () => {
    let dropped = 0;
    await using listener = await open({ maxSockets: 2, onDropped: () => dropped++ });
    const [first, second] = [dial(listener), dial(listener)];
    await Promise.all([once(first, "connect"), once(second, "connect")]);
    const third = dial(listener);
    await within(once(third, "close"), () => "the third to be closed");
    expect(dropped).toBe(1);
    first.destroy();
    second.destroy();
    for (;;) {
      const answer = await fetch(listener.url).then(
        (response) => response.text(),
        () => undefined,
      );
      if (answer === "served") break;
    }
  });

  it.each(["", "GET / HT"])("closes a socket whose request does not come: %j", async (beginning) => {
    await using listener = await open({ headTimeoutMs: 50 });
    const socket = dial(listener);
    socket.write(beginning);
    await within(once(socket, "close"), () => "the socket to be closed");
    expect(socket.destroyed).toBe(true);
  });
});
