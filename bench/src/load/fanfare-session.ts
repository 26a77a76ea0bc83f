import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ClientFramesSchema,
  ErrorCode,
  Outcome,
  type Reply,
  type ServerFrame,
  ServerFrameSchema,
} from "@fanfare/proto/v1";
import type { Deliveries } from "./deliveries.ts";
import { opcodes } from "./frame-parser.ts";
import { openRawWebSocket, type RawWebSocket } from "./raw-websocket.ts";
import { binaryPayloadOffset, type ServerFrameVisitor, walkServerFrames } from "./server-frame-walker.ts";

type FramesInit = NonNullable<MessageInitShape<typeof ClientFramesSchema>["frames"]>;

/**
 * One member: a session that speaks the whole of what the scenario needs. It says hello and subscribes as any client does; from then
 * on it counts messages without decoding them, answers pings, and takes anything it does not expect as a problem of the round.
 */
export class FanfareSession {
  readonly #member: number;
  readonly #deliveries: Deliveries;
  readonly #visitor: ServerFrameVisitor;
  /** Who waits for a frame, by its id; only during the handshake. */
  readonly #waiting = new Map<number, PromiseWithResolvers<ServerFrame>>();
  #socket: RawWebSocket | undefined;
  #lastSeq = 0n;
  #lastId = 0;
  /** Publishes that were sent and not answered. */
  unanswered = 0;

  private constructor(member: number, deliveries: Deliveries) {
    this.#member = member;
    this.#deliveries = deliveries;
    const sampled = deliveries.isSampled(member);
    this.#visitor = {
      message: (bytes, start, end) => {
        deliveries.count(member);
        if (sampled) deliveries.sample(member, bytes, binaryPayloadOffset(bytes, start, end));
      },
      other: (bytes, start, end) => this.#take(fromBinary(ServerFrameSchema, bytes.subarray(start, end))),
    };
  }

  /** Resolves when the session is subscribed to the group. */
  static async open(
    member: number,
    options: { port: number; token: string; group: string },
    deliveries: Deliveries,
  ): Promise<FanfareSession> {
    const session = new FanfareSession(member, deliveries);
    session.#socket = await openRawWebSocket({
      host: "127.0.0.1",
      port: options.port,
      path: "/v1/connect",
      protocol: "fanfare.v1.proto",
      onMessage: (opcode, bytes, start, end) => session.#receive(opcode, bytes, start, end),
      onClose: (reason) => session.#lost(`was disconnected: ${reason}`),
    });
    await session.#welcome(options.token);
    await session.#subscribe(options.group);
    return session;
  }

  /** Publishes and asks for a reply, as an application does that wants to know. */
  publish(group: string, payload: Uint8Array): void {
    this.unanswered++;
    this.#send([
      {
        id: this.#nextId(),
        kind: {
          case: "publish",
          value: {
            channel: { kind: { case: "group", value: group } },
            payload: { data: { case: "binary", value: payload } },
            seq: ++this.#lastSeq,
          },
        },
      },
    ]);
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #welcome(token: string): Promise<void> {
    const answer = this.#answerTo(0);
    this.#send([{ kind: { case: "hello", value: { token, attempt: 1 } } }]);
    const { kind } = await answer;
    if (kind.case !== "welcome") throw new Error(`${describe(kind)} instead of welcome`);
  }

  async #subscribe(group: string): Promise<void> {
    const id = this.#nextId();
    const answer = this.#answerTo(id);
    this.#send([{ id, kind: { case: "subscribe", value: { channel: { kind: { case: "group", value: group } } } } }]);
    const { kind } = await answer;
    if (kind.case !== "reply" || kind.value.result.case !== "subscribed") {
      throw new Error(`${describe(kind)} instead of subscribed`);
    }
  }

  #answerTo(id: number): Promise<ServerFrame> {
    const waiting = Promise.withResolvers<ServerFrame>();
    this.#waiting.set(id, waiting);
    return waiting.promise;
  }

  #receive(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    if (opcode === opcodes.binary) {
      const before = this.#deliveries.total;
      walkServerFrames(bytes, start, end, this.#visitor);
      if (this.#deliveries.total === before) return; // replies and heartbeats are no deliveries
      this.#deliveries.webSocketMessages++;
      this.#deliveries.bytes += end - start;
    } else if (opcode === opcodes.ping) {
      this.#socket?.send(opcodes.pong, bytes.subarray(start, end));
    } else {
      const detail = opcode === opcodes.close ? closeText(bytes, start, end) : `opcode ${opcode}`;
      this.#lost(`got ${detail}`);
    }
  }

  #take(frame: ServerFrame): void {
    const waiting = this.#waiting.get(frame.id);
    if (waiting !== undefined && frame.kind.case !== "ping") {
      this.#waiting.delete(frame.id);
      waiting.resolve(frame);
    } else if (frame.kind.case === "ping") this.#pong(frame.id, frame.kind.value.sentAtUs);
    else if (frame.kind.case === "reply") this.#published(frame.kind.value);
    else this.#deliveries.problem(`member ${this.#member} got ${describe(frame.kind)}`);
  }

  #lost(what: string): void {
    const text = `member ${this.#member} ${what}`;
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(text));
    this.#waiting.clear();
    this.#deliveries.problem(text);
  }

  #published(reply: Reply): void {
    this.unanswered--;
    const { result } = reply;
    if (result.case === "publishResult" && result.value.outcome === Outcome.DELIVERED && !result.value.repeated) return;
    const why = result.case === "error" ? ErrorCode[result.value.code] : result.case;
    this.#deliveries.problem(`a publish of member ${this.#member} was answered with ${why}`);
  }

  #pong(id: number, pingSentAtUs: bigint): void {
    const nowUs = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
    this.#send([{ id, kind: { case: "pong", value: { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs } } }]);
  }

  #nextId(): number {
    this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  #send(frames: FramesInit): void {
    this.#socket?.send(opcodes.binary, toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames })));
  }
}

function describe(kind: ServerFrame["kind"]): string {
  if (kind.case === "error") return `error ${ErrorCode[kind.value.code]}: ${kind.value.message}`;
  if (kind.case !== "reply") return String(kind.case);
  const { result } = kind.value;
  return result.case === "error"
    ? `error ${ErrorCode[result.value.code]}: ${result.value.message}`
    : `reply ${result.case}`;
}

function closeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start < 2) return "a close without a code";
  const code = (bytes[start]! << 8) | bytes[start + 1]!;
  return `close ${code} ${new TextDecoder().decode(bytes.subarray(start + 2, end))}`;
}
