import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type ClientFrameSchema, ClientFramesSchema } from "@fanfare/proto/v1";
import type { Random } from "../random.ts";
import type { InitOf } from "../test-client.ts";

type FrameInit = InitOf<typeof ClientFrameSchema>;
type Kind = NonNullable<NonNullable<FrameInit["kind"]>["case"]>;

const kinds: readonly Kind[] = [
  "subscribe",
  "unsubscribe",
  "publish",
  "rpc",
  "rpcResult",
  "presence",
  "presenceUpdate",
  "history",
  "cursorCommit",
  "refresh",
  "ping",
  "pong",
];

const groups = ["lobby", "chat:x", "game:1", "limited:y", "members-only:m", "nowhere:z", "no-presence:n", ":", "a:b:c"];
const oddTexts = [
  "",
  " ",
  "ö",
  "\0",
  "../..",
  "__proto__",
  "constructor",
  "x".repeat(300),
  "😀".repeat(40),
  "%s%n",
  "a b",
];
const oddNumbers = [
  0n,
  1n,
  2n,
  127n,
  128n,
  65_535n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 64n - 1n,
];

/** What one connection of a fuzz run sends: valid frames with odd values, and those broken in ways that decoders meet. */
export class FuzzFrames {
  readonly #random: Random;
  readonly #token: string;
  #seq = 1n;

  constructor(random: Random, token: string) {
    this.#random = random;
    this.#token = token;
  }

  /** Frames that decode, with values inside and outside of their bounds. */
  frames(count: number): FrameInit[] {
    return Array.from({ length: count }, () => this.#frame());
  }

  binary(frames: FrameInit[]): Uint8Array {
    return toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames }));
  }

  json(frames: FrameInit[]): string {
    const message = create(ClientFramesSchema, { frames });
    return toJsonString(ClientFramesSchema, message, { enumAsInteger: this.#random.chance(0.5) });
  }

  /** Breaks a binary message: bits, lengths, order, ends. */
  mutateBinary(message: Uint8Array): Uint8Array {
    let bytes = Uint8Array.from(message);
    for (let i = 1 + this.#random.below(3); i > 0; i--) bytes = this.#mutateOnce(bytes);
    return bytes.subarray(0, 60_000);
  }

  /** Breaks a JSON message: characters, types, nesting, names. */
  mutateJson(message: string): string {
    let text = message;
    for (let i = 1 + this.#random.below(3); i > 0; i--) text = this.#mutateTextOnce(text);
    return text.slice(0, 60_000);
  }

  /** A hello with odd values; most are refused. */
  oddHello(): FrameInit {
    const value = {
      token: this.#random.pick([this.#token, `${this.#token}x`, this.#text(), "a.b.c", this.#token.slice(0, 40)]),
      attempt: this.#random.pick([0, 1, 2, 0xffff_ffff]),
      minRevision: this.#random.pick([0, 1, 2, 0xffff_ffff]),
      maxRevision: this.#random.pick([0, 1, 2, 0xffff_ffff]),
      features: Array.from({ length: this.#random.below(40) }, () =>
        this.#random.pick(["resume", "presence", this.#text()]),
      ),
      resume: { sessionId: this.#text(), secret: this.#text(), handOver: this.#random.chance(0.5) },
      subscriptions: Array.from({ length: this.#random.below(5) }, () => this.#subscribe()),
      heartbeatIntervalMs: Number(this.#number() & 0xffff_ffffn),
      client: { name: this.#text(), version: this.#text(), platform: this.#text() },
    };
    return { kind: { case: "hello", value } };
  }

  #frame(): FrameInit {
    const random = this.#random;
    const id = random.pick([0, 0, 1, 2, 3, random.below(1000), 0x7fff_ffff, 0xffff_ffff]);
    if (random.chance(0.01)) return { id };
    if (random.chance(0.002))
      return random.chance(0.5) ? this.oddHello() : { id, kind: { case: "disconnect", value: {} } };
    return { id, kind: this.#kind(random.pick(kinds)) } as FrameInit;
  }

  #kind(kind: Kind): FrameInit["kind"] {
    const random = this.#random;
    const channel = this.#channel();
    switch (kind) {
      case "subscribe":
        return { case: kind, value: this.#subscribe() };
      case "publish":
        return {
          case: kind,
          value: {
            channel,
            payload: this.#payload(),
            seq: random.chance(0.9) ? this.#seq++ : this.#number(),
            volatile: random.chance(0.4),
            conflationKey: random.chance(0.3) ? this.#text() : "",
            ttlMs: random.chance(0.2) ? Number(this.#number() & 0xffff_ffffn) : 0,
            excludeSelf: random.chance(0.3),
            wantReport: random.chance(0.3),
          },
        };
      case "rpc":
        return {
          case: kind,
          value: { method: this.#text(), payload: this.#payload(), deadlineMs: random.below(100_000) },
        };
      case "rpcResult":
        return {
          case: kind,
          value: random.chance(0.5) ? {} : { result: { case: "error", value: { code: random.below(99) } } },
        };
      case "presence":
        return {
          case: kind,
          value: { channel, pageSize: random.below(2000), pageToken: random.chance(0.3) ? this.#text() : "" },
        };
      case "presenceUpdate":
        return { case: kind, value: { channel, data: this.#payload() } };
      case "history":
        return { case: kind, value: { channel, limit: random.below(5000) } };
      case "cursorCommit":
        return {
          case: kind,
          value: { channel, position: { epoch: this.#number(), offset: this.#number(), tag: random.next() } },
        };
      case "refresh":
        return { case: kind, value: { token: random.pick([this.#token, this.#text(), `${this.#token}x`]) } };
      case "ping":
        return { case: kind, value: { sentAtUs: this.#number() } };
      case "pong":
        return {
          case: kind,
          value: { pingSentAtUs: this.#number(), receivedAtUs: this.#number(), sentAtUs: this.#number() },
        };
      default:
        return { case: "unsubscribe", value: { channel } };
    }
  }

  #subscribe() {
    const channel = this.#channel();
    const random = this.#random;
    const presenceData = random.chance(0.2) ? { presenceData: this.#payload() } : {};
    const start = random.chance(0.2) ? { start: { case: "rewind" as const, value: random.below(20_000) } } : {};
    return { channel, presence: random.chance(0.3), ...presenceData, ...start };
  }

  #channel() {
    const random = this.#random;
    if (random.chance(0.03)) return {};
    const which = random.below(10);
    if (which === 0) return { kind: { case: "broadcast" as const, value: random.chance(0.9) } };
    if (which < 3)
      return { kind: { case: "player" as const, value: random.pick(["fuzz", "bystander", "nobody", this.#text()]) } };
    return { kind: { case: "group" as const, value: random.chance(0.95) ? random.pick(groups) : this.#text() } };
  }

  #payload() {
    const random = this.#random;
    const type = random.chance(0.2) ? this.#text() : "t";
    switch (random.below(4)) {
      case 0:
        return { type, data: { case: "binary" as const, value: random.bytes(random.below(64)) } };
      case 1:
        return { type, data: { case: "json" as const, value: random.pick(["{}", "[", "null", "1e999"]) } };
      case 2:
        return { type };
      default:
        return {
          type,
          data: { case: "text" as const, value: random.chance(0.01) ? "x".repeat(70_000) : this.#text() },
        };
    }
  }

  #text(): string {
    const random = this.#random;
    if (random.chance(0.5)) return random.pick(oddTexts);
    return String.fromCodePoint(...Array.from({ length: random.below(20) }, () => 0x20 + random.below(0x500)));
  }

  #number(): bigint {
    return this.#random.chance(0.7) ? this.#random.pick(oddNumbers) : BigInt(this.#random.next());
  }

  #mutateOnce(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const random = this.#random;
    const copy = Uint8Array.from(bytes);
    const at = random.below(copy.length + 1);
    const end = Math.min(copy.length, at + random.below(32));
    switch (random.below(8)) {
      case 0: // a bit
        if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.below(8));
        return copy;
      case 1: // cut off
        return copy.slice(0, at);
      case 2: // a part twice
        return Uint8Array.from([...copy.subarray(0, end), ...copy.subarray(at)]);
      case 3: // a part missing
        return Uint8Array.from([...copy.subarray(0, at), ...copy.subarray(end)]);
      case 4: // a length or tag that lies
        if (at < copy.length) copy[at] = random.pick([0, 0x7f, 0x80, 0xff, 0x0a, 0x0b, 0x0c]);
        return copy;
      case 5: // endless and too large numbers
        return Uint8Array.from([
          ...copy.subarray(0, at),
          ...new Uint8Array(random.below(12)).fill(0xff),
          ...copy.subarray(at),
        ]);
      case 6: // random bytes
        return Uint8Array.from([...copy.subarray(0, at), ...random.bytes(random.below(40)), ...copy.subarray(end)]);
      default: // an unknown field, or groups within groups
        return Uint8Array.from([
          ...copy,
          ...(random.chance(0.5) ? [0xa2, 0x06, 0x01, 0x00] : new Uint8Array(random.below(2000)).fill(0x1b)),
        ]);
    }
  }

  #mutateTextOnce(text: string): string {
    const random = this.#random;
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + random.below(16));
    switch (random.below(8)) {
      case 0:
        return (
          text.slice(0, at) +
          random.pick(['"', "{", "}", "[", "]", ",", ":", "\\", "\ud800", "\0", "é"]) +
          text.slice(end)
        );
      case 1:
        return text.slice(0, at);
      case 2:
        return text.slice(0, end) + text.slice(at);
      case 3:
        return text.replace(
          /:("[^"]*"|\d+|true|false)/,
          () => `:${random.pick(["null", "1e400", "-1", "{}", "[[]]", '"x"', "true", "1.5"])}`,
        );
      case 4:
        return text.replace('"frames":[', `"frames":[${"[".repeat(random.below(3000))}`);
      case 5:
        return text.replace('{"', `{"${random.pick(["__proto__", "constructor", "toString", "frames", "x"])}":{},"`);
      case 6:
        return text.replace(
          /"(\w+)":/,
          (_, name: string) => `"${name.replaceAll(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`)}":`,
        );
      default:
        return text.replaceAll(/"(\d+)"/g, (_, digits: string) => (random.chance(0.5) ? digits : `"${digits}0"`));
    }
  }
}
