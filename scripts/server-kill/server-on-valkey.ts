import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { create, toJsonString } from "@bufbuild/protobuf";
import { Access, Scope, ServerConfigSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";

/** Signs the players' tokens of the app `game`, under the key id `k`. */
export const tokenSecret = "a secret of servers that are killed";
/** May do everything in the app `game`. */
export const apiKey = "an-API-key-of-servers-that-are-killed";

/** A server that keeps its log in a Valkey. */
export interface ServerOnValkeyOptions {
  /** `host:port`, of one standalone node or of a cluster. */
  readonly addresses: readonly string[];
  readonly cluster?: boolean;
  readonly keyPrefix: string;
  readonly nodeId?: string;
  /** Default: one that is free, and after the first start the same again. */
  readonly port?: number;
}

/** Its configuration: an app `game` with one namespace, `durable`, that is open to all, and no limit that load would meet. */
export function configOf({ addresses, cluster = false, keyPrefix, nodeId = "one", port = 0 }: ServerOnValkeyOptions) {
  const open = { subscribe: Access.ANYONE, publish: Access.ANYONE };
  const retention = { maxMessages: 1_000_000, maxBytes: 1n << 30n };
  return create(ServerConfigSchema, {
    nodeId,
    listen: { host: "127.0.0.1", port },
    valkey: { addresses: [...addresses], cluster, keyPrefix, requestTimeoutMs: 500 },
    timing: { drainWindowMs: 100, drainDeadlineMs: 1000 },
    limits: { handshakesPerSecond: 100_000, maxConnectionsPerAddress: 100_000 },
    apps: [
      {
        id: "game",
        playerAuth: {
          keys: [{ id: "k", algorithm: TokenAlgorithm.HS256, material: { case: "secret", value: tokenSecret } }],
        },
        apiKeys: [
          {
            id: "all",
            sha256: createHash("sha256").update(apiKey).digest("hex"),
            scopes: [Scope.PUBLISH, Scope.MESSAGES, Scope.READ],
          },
        ],
        namespaces: [
          { name: "durable", rules: { ...open, deliveryClass: DeliveryClass.DURABLE, maxRewind: 10_000, retention } },
        ],
      },
    ],
  });
}

/** The process of such a server; it can be killed and started again at the same address. */
export class ServerOnValkey implements AsyncDisposable {
  readonly #options: ServerOnValkeyOptions;
  #port: number;
  #child: ChildProcess | undefined;
  #errors = "";

  constructor(options: ServerOnValkeyOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What it has written to standard error since it was started. */
  get errors(): string {
    return this.#errors;
  }

  /** Starts it, and waits until it serves. @throws what it said, if it ended instead */
  async start(): Promise<void> {
    const config = toJsonString(ServerConfigSchema, configOf({ ...this.#options, port: this.#port }));
    const child = fork(fileURLToPath(new URL("server-process.ts", import.meta.url)), [config], {
      execArgv: ["--conditions=@fanfare/source"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    this.#errors = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    const ended = new AbortController();
    const over = once(child, "close").then(() => {
      ended.abort();
      throw new Error(this.#errors);
    });
    over.catch(() => {});
    const [{ url }] = (await Promise.race([once(child, "message", { signal: ended.signal }), over]).catch(
      () => over,
    )) as [{ url: string }];
    this.#port = Number(new URL(url).port);
  }

  /** Whether it has ended, by itself or not. */
  get hasEnded(): boolean {
    const child = this.#child;
    return child === undefined || child.exitCode !== null || child.signalCode !== null;
  }

  /** Ends it without notice. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.ended();
  }

  /** Closes it; it says farewell. */
  async stop(): Promise<void> {
    if (this.#child?.connected) this.#child.disconnect();
    await this.ended();
  }

  /** Its exit code, when it has ended; null after a signal. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
