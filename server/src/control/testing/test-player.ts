import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type ClientFrameSchema,
  ClientFramesSchema,
  type HelloSchema,
  type ServerFrame,
  ServerFramesSchema,
  type Welcome,
} from "@fanfare/proto/v1";
import { WebSocket } from "ws";

type Kind = NonNullable<ServerFrame["kind"]["case"]>;
type FrameOf<K extends Kind> = ServerFrame & { kind: { case: K } };

/** A player's client as small as a test needs: it says hello and keeps what it is sent. */
export class TestPlayer implements Disposable {
  readonly #webSocket: WebSocket;
  readonly #frames: ServerFrame[] = [];
  readonly #closed = Promise.withResolvers<number>();
  #arrived = Promise.withResolvers<void>();
  #welcome: Welcome | undefined;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.binaryType = "nodebuffer";
    webSocket.on("message", (data: Buffer) => {
      this.#frames.push(...fromBinary(ServerFramesSchema, data).frames);
      this.#wake();
    });
    webSocket.on("close", (code) => {
      this.#closed.resolve(code);
      this.#wake();
    });
    webSocket.on("error", () => {});
  }

  /** Opens a connection and sends `hello`; what comes of it shows in `welcome` or `closed`. */
  static async open(url: string, hello: MessageInitShape<typeof HelloSchema>): Promise<TestPlayer> {
    const webSocket = new WebSocket(`${url.replace("http", "ws")}/v1/connect`, "fanfare.v1.proto", {
      rejectUnauthorized: false,
    });
    const player = new TestPlayer(webSocket);
    await new Promise<void>((resolve, reject) => webSocket.once("open", resolve).once("error", reject));
    player.send({ kind: { case: "hello", value: { attempt: 1, ...hello } } });
    return player;
  }

  /** As `open`, and waits for `welcome`. */
  static async connect(url: string, hello: MessageInitShape<typeof HelloSchema>): Promise<TestPlayer> {
    const player = await TestPlayer.open(url, hello);
    player.#welcome = (await player.next("welcome")).kind.value;
    return player;
  }

  get welcome(): Welcome {
    if (this.#welcome === undefined) throw new Error("there was no welcome");
    return this.#welcome;
  }

  /** The close code. */
  get closed(): Promise<number> {
    return this.#closed.promise;
  }

  send(frame: MessageInitShape<typeof ClientFrameSchema>): void {
    this.#webSocket.send(toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames: [frame] })));
  }

  /** The next frame of this kind; others before it are thrown away. */
  async next<K extends Kind>(kind: K): Promise<FrameOf<K>> {
    for (;;) {
      for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
        if (frame.kind.case === kind) return frame as FrameOf<K>;
      }
      if (this.#webSocket.readyState >= WebSocket.CLOSING) throw new Error(`closed before ${kind}`);
      await this.#arrived.promise;
    }
  }

  /** The text of the next message. */
  async nextText(): Promise<string> {
    const { value } = (await this.next("message")).kind;
    return value.payload?.data.case === "text" ? value.payload.data.value : "";
  }

  /** Kinds of the frames that have arrived and were not taken. */
  get pendingKinds(): readonly (Kind | undefined)[] {
    return this.#frames.map((frame) => frame.kind.case);
  }

  /** Cuts the connection. */
  [Symbol.dispose](): void {
    this.#webSocket.terminate();
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}
