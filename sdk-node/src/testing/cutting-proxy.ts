import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy on loopback between a client and a server, that can cut and stall what goes through it. */
export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; server: Socket }>();
  #stalled = false;

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      const server = createConnection(Number(target.port), target.hostname);
      const pair = { client, server };
      this.#pairs.add(pair);
      const end = () => {
        client.destroy();
        server.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of [client, server]) socket.on("error", end).on("close", end);
      client.on("data", (data) => this.#stalled || server.write(data));
      server.on("data", (data) => this.#stalled || client.write(data));
    });
  }

  /** A proxy in front of a server. */
  static async start(target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(target));
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** Where clients connect. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that stand. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Cuts every connection, as a network does that fails. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Swallows everything from now on, in both directions, and leaves connections open. */
  stall(): void {
    this.#stalled = true;
  }

  /** Passes everything on again; what was swallowed is lost, so those connections are cut. */
  heal(): void {
    this.#stalled = false;
    this.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
