import { once } from "node:events";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CloseCode, ErrorCode } from "@fanfare/proto/v1";
import { Random } from "../random.ts";
import { type TestClient, until, within } from "../test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../test-server.ts";
import { FuzzFrames } from "./fuzz-frames.ts";
import { brokenStream, brokenUpgrade } from "./fuzz-stream.ts";

/** How a fuzz run goes. */
export interface FuzzOptions {
  /** Frames to send, at the least. */
  readonly frames: number;
  /** The same seed sends the same bytes on each connection. */
  readonly seed: number;
  /** Connections at a time. Default: 16. */
  readonly concurrency?: number;
}

/** What a run did and found. */
export interface FuzzReport {
  readonly seed: number;
  readonly frames: number;
  readonly connections: number;
  /** Messages that the bystander sent itself through the same node meanwhile. */
  readonly bystanderMessages: number;
  /** How connections ended, by close code; `alive` were closed by the run. */
  readonly endings: ReadonlyMap<number | "alive", number>;
  /** Heap in use after garbage collection, now and before, in bytes. */
  readonly heapGrowthBytes: number;
  /** What must not happen, in words; empty when all is well. */
  readonly problems: readonly string[];
}

const features = ["resume", "hand_over", "presence", "report", "server_rpc", "durable", "history", "cursor"];

const limits = {
  maxConnectionsPerPlayer: 10_000,
  maxConnectionsPerAddress: 100_000,
  handshakesPerSecond: 1_000_000,
  publishesPerSecond: 1_000_000,
  publishBurst: 1_000_000,
  framesPerSecond: 1_000_000,
  bytesPerSecond: 1_073_741_824,
};

/** Sends mutated frames at a server of its own, over real sockets, while a bystander goes on with its work. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const problems: string[] = [];
  const fault = (reason: unknown) => {
    problems.push(`the process threw: ${reason instanceof Error ? reason.stack : String(reason)}`);
  };
  process.on("uncaughtExceptionMonitor", fault);
  process.on("unhandledRejection", fault);
  try {
    await using server = await startTestServer({ limits, timing: { resumeWindowMs: 20, helloTimeoutMs: 3_000 } });
    const bystander = await Bystander.join(server, problems);
    const run = new FuzzRun(server, options, problems);
    await run.send(0, Math.min(3_000, options.frames)); // until everything is compiled and every pool is filled
    await run.expectBaseline();
    const heapBefore = heapInUse();
    await run.send(1_000_000, options.frames);
    await bystander.stop();
    await run.expectBaseline();
    const heapGrowthBytes = heapInUse() - heapBefore;
    const { seed } = options;
    const { frames, connections, endings } = run;
    return { seed, frames, connections, bystanderMessages: bystander.count, endings, heapGrowthBytes, problems };
  } finally {
    process.removeListener("uncaughtExceptionMonitor", fault);
    process.removeListener("unhandledRejection", fault);
  }
}

class FuzzRun {
  readonly endings = new Map<number | "alive", number>();
  frames = 0;
  connections = 0;
  readonly #token = tokenFor("fuzz", { caps: ["publish:broadcast"] });
  readonly #server: TestServer;
  readonly #options: FuzzOptions;
  readonly #problems: string[];

  constructor(server: TestServer, options: FuzzOptions, problems: string[]) {
    this.#server = server;
    this.#options = options;
    this.#problems = problems;
  }

  /** Opens connections one after the other, several at a time, until that many frames more are sent. */
  async send(firstConnection: number, frames: number): Promise<void> {
    const target = this.frames + frames;
    let next = firstConnection;
    const worker = async () => {
      while (this.frames < target && this.#problems.length < 20) await this.#connection(next++);
    };
    await Promise.all(Array.from({ length: this.#options.concurrency ?? 16 }, worker));
  }

  /** Waits until nothing is left of what was sent, but for the bystander. */
  async expectBaseline(): Promise<void> {
    const { counters } = this.#server;
    const left = () => {
      const { connections, sessions, sessionsDetached, unauthenticated, subscriptions, sendQueueBytes } = counters;
      return { connections, sessions, sessionsDetached, unauthenticated, subscriptions, sendQueueBytes };
    };
    const expected = {
      connections: 1,
      sessions: 1,
      sessionsDetached: 0,
      unauthenticated: 0,
      subscriptions: 3,
      sendQueueBytes: 0,
    };
    try {
      await until(() => JSON.stringify(left()) === JSON.stringify(expected), "the counters to be as before");
    } catch {
      this.#problems.push(`left behind: ${JSON.stringify(left())}`);
    }
    const internal = counters.errorsByCode[ErrorCode.INTERNAL] ?? 0;
    if (internal > 0) this.#problems.push(`${internal} requests ended in INTERNAL`);
  }

  async #connection(index: number): Promise<void> {
    this.connections++;
    const random = Random.of(this.#options.seed, index);
    const protocol = random.chance(0.6) ? "fanfare.v1.proto" : "fanfare.v1.json";
    try {
      if (random.chance(0.05)) return await this.#upgrade(random);
      const client = await this.#server.dial({ protocol });
      await this.#talk(client, random, protocol === "fanfare.v1.json");
      this.#server.forget(client);
    } catch (reason) {
      this.#problems.push(`seed ${this.#options.seed}, connection ${index}: ${String(reason)}`);
    }
  }

  /** Sends an upgrade request that is broken on the way, and what a client would send behind it. */
  async #upgrade(random: Random): Promise<void> {
    const { hostname, port } = new URL(this.#server.server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => {});
    await within(once(socket, "connect"), () => "a TCP connection");
    const frames = new FuzzFrames(random, this.#token);
    const request = brokenUpgrade(random, `${hostname}:${port}`);
    socket.write(random.chance(0.2) ? frames.mutateBinary(request) : request);
    socket.write(brokenStream(random, frames.binary(frames.frames(1))));
    this.frames++;
    if (random.chance(0.5)) socket.resetAndDestroy();
    else socket.end();
    socket.resume();
    if (!socket.destroyed) await within(once(socket, "close"), () => "the TCP connection's end");
  }

  async #talk(client: TestClient, random: Random, isJson: boolean): Promise<void> {
    const token = this.#token;
    const fuzzFrames = new FuzzFrames(random, token);
    const claimed = random.chance(0.8) ? features : [];
    if (random.chance(0.2)) {
      const hello = [random.chance(0.5) ? fuzzFrames.oddHello() : helloFrame(token, claimed)];
      if (isJson) client.sendRaw(fuzzFrames.mutateJson(fuzzFrames.json(hello)));
      else client.sendRaw(fuzzFrames.mutateBinary(fuzzFrames.binary(hello)));
      this.frames++;
    } else await client.hello({ token, features: claimed });
    const messages = random.chance(0.4) ? 1 : 1 + random.below(40);
    for (let i = 0; i < messages && client.closedWith === undefined; i++) {
      const frames = fuzzFrames.frames(random.chance(0.5) ? 1 + random.below(4) : 1 + random.below(40));
      this.frames += frames.length;
      const breaks = random.chance(0.2);
      if (isJson) client.sendRaw(breaks ? fuzzFrames.mutateJson(fuzzFrames.json(frames)) : fuzzFrames.json(frames));
      else client.sendRaw(breaks ? fuzzFrames.mutateBinary(fuzzFrames.binary(frames)) : fuzzFrames.binary(frames));
      await this.#answered(client);
    }
    if (client.closedWith === undefined) await this.#leave(client, random, fuzzFrames.binary(fuzzFrames.frames(1)));
    else this.#count(client.closedWith.code);
  }

  /** Waits until the server has handled what was sent, or has closed. */
  async #answered(client: TestClient): Promise<void> {
    try {
      await client.settle();
    } catch (reason) {
      if (client.closedWith === undefined) throw reason;
    }
  }

  /** Ends a connection that is alive. What it is closed with then may be the echo of what was sent. */
  async #leave(client: TestClient, random: Random, message: Uint8Array): Promise<void> {
    this.endings.set("alive", (this.endings.get("alive") ?? 0) + 1);
    switch (random.below(9)) {
      case 0:
        return client.cut();
      case 1:
        client.tcp.resetAndDestroy();
        return;
      case 2:
        client.send({ kind: { case: "disconnect", value: {} } });
        await client.ended();
        return;
      case 3:
        await client.close(random.pick([1000, 1001, 3000, 4000, 4001, 4101, 4999]));
        return;
      default:
        client.tcp.write(brokenStream(random, message));
        this.frames++;
        client.tcp.end();
        await within(
          new Promise<void>((resolve) => client.tcp.once("close", () => resolve())),
          () => "the TCP connection's end",
        );
    }
  }

  #count(code: number): void {
    this.endings.set(code, (this.endings.get(code) ?? 0) + 1);
    const isOwn = [1002, 1005, 1006, 1007].includes(code);
    const isDefined = CloseCode[code] !== undefined && code !== CloseCode.UNSPECIFIED && code !== CloseCode.INTERNAL;
    if (!isOwn && !isDefined) this.#problems.push(`a connection was closed with ${code}`);
  }
}

function helloFrame(token: string, features: string[]) {
  return { kind: { case: "hello" as const, value: { token, attempt: 1, features } } };
}

/** A client that nobody attacks: it sends itself a message whenever the last one has come, and expects each of them in order. */
class Bystander {
  count = 0;
  readonly #client: TestClient;
  readonly #problems: string[];
  #stopped = false;
  readonly #done: Promise<void>;

  private constructor(client: TestClient, problems: string[]) {
    this.#client = client;
    this.#problems = problems;
    this.#done = this.#run();
  }

  static async join(server: TestServer, problems: string[]): Promise<Bystander> {
    return new Bystander(await server.join("bystander", { groups: ["members-only:quiet"] }), problems);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const expected = Array.from({ length: 8 }, () => `${this.count++}`);
        for (const text of expected) this.#client.tell("members-only:quiet", text);
        const own = this.#client.welcome?.origin;
        for (const text of expected) {
          const { payload } = await this.#client.frame("message", ({ origin }) => origin === own);
          if (payload?.data.value !== text) throw new Error(`${String(payload?.data.value)} came instead of ${text}`);
        }
        this.#client.forgetFrames();
      }
    } catch (reason) {
      this.#problems.push(`the bystander was disturbed: ${String(reason)}`);
    }
  }
}

function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 4; i++) collect();
  return process.memoryUsage().heapUsed;
}
