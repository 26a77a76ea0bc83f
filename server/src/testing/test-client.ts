import type { Socket } from "node:net";
import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  type Channel,
  type ClientFrameSchema,
  ClientFramesSchema,
  type HelloSchema,
  type Message,
  type PublishResult,
  type PublishSchema,
  type Reply,
  type ServerFrame,
  ServerFramesSchema,
  type Subscribed,
  type SubscribeSchema,
  type Welcome,
} from "@fanfare/proto/v1";
import { WebSocket } from "ws";

/** How a WebSocket is opened. */
export interface ConnectOptions {
  /** Default: `fanfare.v1.proto`. Null: none is offered. */
  readonly protocol?: string | readonly string[] | null;
  readonly headers?: Record<string, string>;
  /** Answer pings. Default: true. */
  readonly autoPong?: boolean;
  /** Bind to this address of the machine. */
  readonly localAddress?: string;
}

/** How a connection ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What `create` takes to make a message, other than a message. */
export type InitOf<Desc extends DescMessage> = Extract<MessageInitShape<Desc>, { readonly $typeName?: undefined }>;

type FrameInit = InitOf<typeof ClientFrameSchema>;
type HelloInit = InitOf<typeof HelloSchema>;
type Kind = Exclude<ServerFrame["kind"]["case"], undefined>;
type ValueOf<K extends Kind> = Extract<ServerFrame["kind"], { case: K }>["value"];
type ChannelInit = Channel["kind"];

interface Waiting {
  readonly matches: (frame: ServerFrame) => boolean;
  readonly resolve: (frame: ServerFrame) => void;
}

/** What a wait may take, in milliseconds, before a test is told what came instead. */
const limitMs = 8_000;

/** A raw client of the protocol, for tests: it sends what it is told and waits for what is named, never for time. */
export class TestClient {
  /** Everything that came, in its order. */
  readonly frames: ServerFrame[] = [];
  /** WebSocket messages that came. */
  messageCount = 0;
  /** The last welcome. */
  welcome: Welcome | undefined;
  /** How the connection ended, once it has. */
  closedWith: Closed | undefined;
  autoPong: boolean;
  /** Sees the text of each message, in the JSON form. */
  onText: ((text: string) => void) | undefined;
  readonly #socket: WebSocket;
  readonly #isJson: boolean;
  readonly #closed = Promise.withResolvers<Closed>();
  readonly #unread: ServerFrame[] = [];
  readonly #waiting = new Set<Waiting>();
  #nextId = 1;
  #seq = 0n;

  private constructor(socket: WebSocket, autoPong: boolean) {
    this.#socket = socket;
    this.#isJson = socket.protocol === "fanfare.v1.json";
    this.autoPong = autoPong;
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("close", (code, reason) => {
      this.closedWith = { code, reason: reason.toString() };
      this.#closed.resolve(this.closedWith);
    });
    socket.on("error", () => {});
  }

  /** @throws when the upgrade is refused */
  static async connect(url: string, options: ConnectOptions = {}): Promise<TestClient> {
    const { protocol = "fanfare.v1.proto", headers, autoPong = true, localAddress } = options;
    const protocols = protocol === null ? [] : typeof protocol === "string" ? [protocol] : [...protocol];
    const socket = new WebSocket(url, protocols, {
      perMessageDeflate: false,
      maxPayload: 0,
      ...(headers === undefined ? {} : { headers }),
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const opened = Promise.withResolvers<TestClient>();
    // Made at `open` and not a turn later, so that a close right behind the upgrade is not missed.
    socket.once("open", () => opened.resolve(new TestClient(socket, autoPong)));
    socket.once("error", opened.reject);
    return within(opened.promise, () => `the upgrade at ${url}`);
  }

  /** The TCP socket below. */
  get tcp(): Socket {
    return (this.#socket as unknown as { _socket: Socket })._socket;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get kinds(): string[] {
    return this.frames.map(({ kind }) => kind.case ?? "unknown");
  }

  /** The messages that came. */
  get messages(): Message[] {
    return this.frames.flatMap(({ kind }) => (kind.case === "message" ? [kind.value] : []));
  }

  /** The texts of the messages that came. */
  get texts(): string[] {
    return this.messages.map(textOf);
  }

  /** Sends frames in one WebSocket message. */
  send(...frames: FrameInit[]): void {
    const message = create(ClientFramesSchema, { frames });
    if (this.#isJson) this.sendRaw(toJsonString(ClientFramesSchema, message, { enumAsInteger: true }));
    else this.sendRaw(toBinary(ClientFramesSchema, message));
  }

  /** Sends a WebSocket message as it is: text as text, bytes as binary. */
  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data, { binary: typeof data !== "string" }, () => {});
  }

  /** Sends a WebSocket ping. */
  sendControlPing(): void {
    this.#socket.ping();
  }

  /** The next frame that matches and was not returned before. */
  async next(matches: (frame: ServerFrame) => boolean, what = "a frame"): Promise<ServerFrame> {
    const index = this.#unread.findIndex(matches);
    if (index !== -1) return this.#unread.splice(index, 1)[0] as ServerFrame;
    const { promise, resolve, reject } = Promise.withResolvers<ServerFrame>();
    const waiting = { matches, resolve };
    this.#waiting.add(waiting);
    this.#closed.promise.then(({ code, reason }) =>
      reject(new Error(`closed with ${code} (${reason}) before ${what} came`)),
    );
    return within(promise, () => `${what}; there came ${this.kinds.join(", ") || "nothing"}`);
  }

  /** The value of the next frame of this kind that was not returned before. */
  async frame<K extends Kind>(kind: K, matches: (value: ValueOf<K>) => boolean = () => true): Promise<ValueOf<K>> {
    const frame = await this.next((one) => one.kind.case === kind && matches(one.kind.value as ValueOf<K>), kind);
    return frame.kind.value as ValueOf<K>;
  }

  /** Says hello and waits for `welcome`. Attempt 1 and no features unless told otherwise. */
  async hello(hello: HelloInit): Promise<Welcome> {
    this.sayHello(hello);
    this.welcome = await this.frame("welcome");
    return this.welcome;
  }

  sayHello(hello: HelloInit): void {
    this.send({ kind: { case: "hello", value: { attempt: 1, ...hello } } });
  }

  /** Sends a request and waits for its reply. */
  async request(kind: FrameInit["kind"]): Promise<Reply["result"]> {
    const id = this.#nextId++;
    this.send({ id, ...(kind === undefined ? {} : { kind }) });
    return this.reply(id);
  }

  /** The reply to a request. */
  async reply(id: number): Promise<Reply["result"]> {
    const frame = await this.next((one) => one.kind.case === "reply" && one.id === id, `the reply to ${id}`);
    return (frame.kind.value as Reply).result;
  }

  /** Subscribes; fails with the error's code if it is refused. */
  async subscribe(group: string, options: Omit<InitOf<typeof SubscribeSchema>, "channel"> = {}): Promise<Subscribed> {
    const value = { ...options, channel: { kind: { case: "group" as const, value: group } } };
    return expectResult(await this.request({ case: "subscribe", value }), "subscribed");
  }

  /** Publishes a text with the next seq and waits for the result. */
  async publish(to: ChannelInit | string, text: string, options: PublishOptions = {}): Promise<PublishResult> {
    return expectResult(
      await this.request({ case: "publish", value: this.publishOf(to, text, options) }),
      "publishResult",
    );
  }

  /** Publishes without asking for a reply. */
  tell(to: ChannelInit | string, text: string, options: PublishOptions = {}): void {
    this.send({ kind: { case: "publish", value: this.publishOf(to, text, options) } });
  }

  /** A publish with the next seq. */
  publishOf(to: ChannelInit | string, text: string, options: PublishOptions = {}): InitOf<typeof PublishSchema> {
    const kind = typeof to === "string" ? { case: "group" as const, value: to } : to;
    const payload = { data: { case: "text" as const, value: text } };
    return { channel: { kind }, payload, seq: ++this.#seq, ...options };
  }

  /** Waits until the server has handled everything sent before, and its answers have come. */
  async settle(): Promise<void> {
    const id = 0x4000_0000 + this.#nextId++;
    this.send({ id, kind: { case: "ping", value: {} } });
    await this.next((one) => one.kind.case === "pong" && one.id === id, "pong");
  }

  /** Waits until that many messages have come. */
  async received(count: number): Promise<Message[]> {
    while (this.messages.length < count) {
      const missing = count - this.messages.length;
      await this.next(
        (one) => one.kind.case === "message" && this.messages.length >= count,
        `${missing} more messages`,
      );
    }
    return this.messages;
  }

  /** Waits until the connection has ended. */
  ended(): Promise<Closed> {
    return within(this.#closed.promise, () => `the close; there came ${this.kinds.join(", ") || "nothing"}`);
  }

  /** Forgets what came and was read, for clients that live long. */
  forgetFrames(): void {
    this.frames.length = 0;
    this.#unread.length = 0;
  }

  /** Closes the WebSocket as a browser would. */
  close(code?: number, reason?: string): Promise<Closed> {
    this.#socket.close(code, reason);
    return this.ended();
  }

  /** Cuts the connection without a close. */
  cut(): void {
    this.#socket.terminate();
  }

  /** Stops reading, so that what the server sends piles up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.messageCount++;
    if (isBinary === this.#isJson)
      throw new Error("the server has sent text on the binary subprotocol, or the reverse");
    if (this.#isJson) this.onText?.(data.toString());
    const { frames } = this.#isJson
      ? fromJsonString(ServerFramesSchema, data.toString())
      : fromBinary(ServerFramesSchema, new Uint8Array(data));
    for (const frame of frames) this.#take(frame);
  }

  #take(frame: ServerFrame): void {
    this.frames.push(frame);
    if (frame.kind.case === "ping" && this.autoPong) {
      const nowUs = BigInt(Date.now()) * 1000n;
      const value = { pingSentAtUs: frame.kind.value.sentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs };
      this.send({ id: frame.id, kind: { case: "pong", value } });
    }
    for (const waiting of this.#waiting) {
      if (!waiting.matches(frame)) continue;
      this.#waiting.delete(waiting);
      return waiting.resolve(frame);
    }
    this.#unread.push(frame);
  }
}

type PublishOptions = Omit<InitOf<typeof PublishSchema>, "channel">;
type Result = Reply["result"];
type ResultOf<C extends Result["case"]> = Result extends infer R
  ? R extends { case: C; value: infer V }
    ? V
    : never
  : never;

/** The value of a reply of the expected kind. @throws an Error with the code when it is an error */
export function expectResult<C extends Result["case"]>(result: Result, expected: C): ResultOf<C> {
  if (result.case === expected) return result.value as ResultOf<C>;
  const detail = result.case === "error" ? `code ${result.value.code} (${result.value.message})` : `${result.case}`;
  throw new Error(`expected ${expected}, there came ${detail}`);
}

/** The text of a message's payload. */
export function textOf(message: Message): string {
  const data = message.payload?.data;
  return data?.case === "text" ? data.value : "";
}

/** Settles as the promise does, or fails after the time limit. */
export async function within<T>(promise: Promise<T>, what: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms for ${what()}`)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until something is the case that no event tells, by looking once a turn of the event loop. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
