import { create, type DescMessage, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  type ServerFrame,
  ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import type { WebSocket } from "ws";
import { HarnessError } from "../run/failure.ts";
import { decode, encode, type Form, toCaseJson } from "../run/frame-form.ts";
import type { Cut, Direction } from "./fault-rule.ts";
import { Lane, type LaneItem } from "./lane.ts";
import type { RuleBook, Verdict } from "./rule-book.ts";

/** A WebSocket message, and its frames if it holds any: bytes that are no frames pass as they are. */
export interface PassedMessage {
  readonly data: Uint8Array;
  readonly form: Form;
  readonly frames: readonly (ClientFrame | ServerFrame)[] | undefined;
}

/** Watches one connection at its two ends: what was said is before the faults, what was got behind them. */
export interface ProxyTap {
  clientSaid?(message: PassedMessage): void;
  clientGot?(message: PassedMessage): void;
  serverSaid?(message: PassedMessage): void;
  serverGot?(message: PassedMessage): void;
  /** The client's side has ended; `by` the one who ended it. */
  ended?(by: "client" | "server" | "proxy", code: number, reason: string): void;
  /** A rule makes no sense of a frame. */
  failed?(error: HarnessError): void;
}

interface Way {
  readonly lane: Lane;
  readonly from: WebSocket;
  readonly to: WebSocket;
  readonly frames: DescMessage;
  readonly frame: DescMessage;
}

/** One connection through the proxy: a socket of the client, one to the server, and a lane each way. */
export class ProxiedConnection {
  readonly number: number;
  readonly #client: WebSocket;
  readonly #server: WebSocket;
  readonly #book: RuleBook;
  readonly #tap: ProxyTap;
  readonly #form: Form;
  readonly #ways: Record<Direction, Way>;
  #isOver = false;

  constructor(number: number, client: WebSocket, server: WebSocket, book: RuleBook, tap: ProxyTap) {
    this.number = number;
    this.#client = client;
    this.#server = server;
    this.#book = book;
    this.#tap = tap;
    this.#form = client.protocol === "fanfare.v1.json" ? "json" : "binary";
    this.#ways = {
      toClient: way(server, client, ServerFramesSchema, ServerFrameSchema),
      toServer: way(client, server, ClientFramesSchema, ClientFrameSchema),
    };
    this.#connect("toClient");
    this.#connect("toServer");
  }

  /** The client's side is open. */
  get stands(): boolean {
    return this.#client.readyState === this.#client.OPEN;
  }

  /** Looks again at what rules held back. */
  pump(): void {
    this.#ways.toClient.lane.pump();
    this.#ways.toServer.lane.pump();
  }

  /** Ends both sides. */
  destroy(): void {
    for (const { lane } of Object.values(this.#ways)) lane.end();
    this.#client.terminate();
    this.#server.terminate();
  }

  #connect(direction: Direction): void {
    const { from, to, lane } = this.#ways[direction];
    from.on("message", (data: Buffer, isBinary: boolean) => this.#message(direction, data, isBinary));
    from.on("ping", (data: Buffer) => lane.push({ bytes: data.length, write: () => ifOpen(to, () => to.ping(data)) }));
    from.on("pong", (data: Buffer) => lane.push({ bytes: data.length, write: () => ifOpen(to, () => to.pong(data)) }));
    from.on("error", () => {}); // `close` follows
    from.on("close", (code, reason) => this.#closed(direction, code, reason));
  }

  #message(direction: Direction, data: Buffer, isBinary: boolean): void {
    const { frames, frame, lane } = this.#ways[direction];
    const list = this.#decoded(direction, data, isBinary);
    const message = { data, form: this.#form, frames: list };
    this.#tap[direction === "toClient" ? "serverSaid" : "clientSaid"]?.(message);
    const judged =
      list === undefined || !this.#book.concerns(direction, this.number)
        ? []
        : list.map((one) => {
            const json = toCaseJson(frame, one);
            return { one, json, verdict: this.#book.judge(direction, this.number, json) };
          });
    if (judged.every(({ verdict }) => verdict === undefined)) {
      return lane.push(this.#item(direction, data, isBinary, message));
    }
    for (const { one, json, verdict } of judged) {
      const changed = this.#changed(frame, one, json, verdict);
      const bytes = Buffer.from(encode(frames, create(frames, { frames: [changed] }), this.#form));
      const alone = { data: bytes, form: this.#form, frames: [changed] };
      this.#act(direction, this.#item(direction, bytes, isBinary, alone), verdict);
    }
  }

  #changed<T extends ClientFrame | ServerFrame>(
    schema: DescMessage,
    frame: T,
    json: JsonObject,
    verdict: Verdict | undefined,
  ): T {
    if (verdict?.action.kind !== "rewrite") return frame;
    const changed = merged(json, verdict.action.patch);
    try {
      return fromJson(schema, changed) as unknown as T;
    } catch (cause) {
      const text = `a rule makes something of a frame that is none: ${JSON.stringify(changed)}`;
      this.#tap.failed?.(new HarnessError(text, { cause }));
      return frame;
    }
  }

  #act(direction: Direction, item: LaneItem, verdict: Verdict | undefined): void {
    const { lane } = this.#ways[direction];
    if (verdict === undefined) return lane.push(item);
    const { action, by } = verdict;
    switch (action.kind) {
      case "drop":
        return;
      case "duplicate":
        for (let n = 0; n <= action.count; n++) lane.push(item);
        return;
      case "reorder":
        return lane.hold(item, action.count, by);
      case "delay":
        return lane.push({ ...item, delayMs: action.ms });
      case "rewrite":
        return lane.push(item);
      case "stall":
        return lane.push({ ...item, stalledBy: by });
      case "cut":
        if (action.pass) lane.push(item);
        return lane.push({ bytes: 0, write: () => this.#cut(action) });
    }
  }

  #item(direction: Direction, data: Buffer, binary: boolean, message: PassedMessage): LaneItem {
    const { to, lane } = this.#ways[direction];
    const write = () =>
      ifOpen(to, () => {
        this.#tap[direction === "toClient" ? "clientGot" : "serverGot"]?.(message);
        to.send(data, { binary }, () => lane.pump());
      });
    return { bytes: data.length, isFrame: true, write };
  }

  #closed(direction: Direction, code: number, reason: Buffer): void {
    const { to, lane } = this.#ways[direction];
    const opposite = this.#ways[direction === "toClient" ? "toServer" : "toClient"].lane;
    opposite.end();
    if (direction === "toServer") this.#tellEnd("client", code, reason.toString());
    lane.push({
      bytes: 0,
      write: () => {
        if (direction === "toClient") this.#tellEnd("server", code, reason.toString());
        if (code === 1005) to.close();
        else if (code === 1006 || to.readyState !== to.OPEN) to.terminate();
        else to.close(code, reason);
      },
    });
  }

  #cut({ closeCode, reset, serverStands }: Cut): void {
    for (const { lane } of Object.values(this.#ways)) lane.end();
    this.#tellEnd("proxy", closeCode, "");
    if (closeCode > 0) this.#client.close(closeCode, "");
    else if (reset) resetSocket(this.#client);
    else this.#client.terminate();
    if (!serverStands) this.#server.terminate();
  }

  /** Who ends a connection first ends it: the other one's close is the answer. */
  #tellEnd(by: "client" | "server" | "proxy", code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tap.ended?.(by, code, reason);
  }

  #decoded(direction: Direction, data: Buffer, isBinary: boolean): (ClientFrame | ServerFrame)[] | undefined {
    if (isBinary !== (this.#form === "binary")) return undefined;
    try {
      return direction === "toClient"
        ? decode(ServerFramesSchema, data, this.#form).frames
        : decode(ClientFramesSchema, data, this.#form).frames;
    } catch {
      return undefined; // what is no frame is the business of whoever gets it
    }
  }
}

function way(from: WebSocket, to: WebSocket, frames: DescMessage, frame: DescMessage): Way {
  const read = (go: boolean) => (go ? from.resume() : from.pause());
  return { from, to, frames, frame, lane: new Lane({ unsentBytes: () => to.bufferedAmount, read }) };
}

function ifOpen(socket: WebSocket, act: () => void): void {
  if (socket.readyState === socket.OPEN) act();
}

/** `ws` has no reset of its own. */
function resetSocket(socket: WebSocket): void {
  const { _socket: tcp } = socket as unknown as { _socket: { resetAndDestroy(): void } | null };
  tcp?.resetAndDestroy();
}

/** JSON merge patch. */
function merged(value: JsonValue | undefined, patch: JsonObject): JsonObject {
  const result: JsonObject = isObject(value) ? { ...value } : {};
  for (const [key, one] of Object.entries(patch)) {
    if (one === null) delete result[key];
    else result[key] = isObject(one) ? merged(result[key], one) : one;
  }
  return result;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
