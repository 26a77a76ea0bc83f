import { create } from "@bufbuild/protobuf";
import { ChannelSchema } from "@fanfare/proto/v1";
import { FanfareError } from "../../../fanfare-error.ts";
import type { LogPosition } from "../../../log/log-position.ts";
import type { LogEnds, LogMessage, MessageLog, ReadRequest, ReadResult } from "../../../log/message-log.ts";
import type { StoredEntry } from "../../../router/local-delivery.ts";
import { encodeMessageBody } from "../../../wire/frame-encoding.ts";

const channel = create(ChannelSchema, { kind: { case: "group", value: "log:x" } });
/** Of the log as it is at first. */
export const epoch = 7;

/** A place of it. */
export const at = (offset: number, tag = offset): LogPosition => ({ epoch, offset, tag: offset === 0 ? 0 : tag });

function bodyOf(text: string): Uint8Array {
  const payload = { $typeName: "fanfare.v1.Payload" as const, type: "", data: { case: "text" as const, value: text } };
  const rest = { from: "", sentAtMs: 1, expiresAtMs: 0, volatile: false, conflationKey: "" };
  return encodeMessageBody({ channel, origin: 1n, seq: 1, payload, ...rest });
}

/** What a node is told of a message that was stored there. */
export function entry(offset: number, tag = offset, previousTag = offset - 1): StoredEntry {
  const rest = { origin: 1n, expiresAtMs: 0, excludeSelf: false };
  return { position: at(offset, tag), previousTag, body: bodyOf(`m${offset}/${tag}`), ...rest };
}

/** A log that answers reads as the test says. */
export class ScriptedLog implements Pick<MessageLog, "read" | "ends"> {
  /** The newest, which may not be read yet. */
  withheld: LogMessage[] = [];
  entries: LogMessage[] = [];
  verdict: "trimmed" | "other-epoch" | "forked" | undefined;
  failures = 0;
  reads = 0;
  tail = at(0);
  epoch = at(0).epoch;
  /** What happens while it is read. */
  onRead = (): void => {};

  put(...offsets: number[]): void {
    this.entries = offsets.map((offset) => {
      const { body, ...rest } = entry(offset);
      return { kind: "message", offset, tag: offset, body, ...rest, seq: offset };
    });
  }

  async read({ from }: ReadRequest): Promise<ReadResult> {
    this.reads++;
    if (this.failures > 0) {
      this.failures--;
      throw new FanfareError(16, "out of reach");
    }
    const last = this.entries.at(-1);
    const head = { ...(last === undefined ? at(0) : at(last.offset, last.tag)), epoch: this.epoch };
    const { verdict, tail } = this;
    if (verdict !== undefined) {
      this.verdict = undefined;
      return { verdict, head, tail };
    }
    const items = this.entries.filter(({ offset }) => offset > (from?.offset ?? 0));
    this.onRead();
    return { verdict: "ok", ...this.#ends(), items, next: head, atEnd: true };
  }

  async ends(): Promise<LogEnds> {
    this.reads++;
    return this.#ends();
  }

  #ends(): LogEnds {
    const { entries, withheld, tail } = this;
    const last = entries.at(-1);
    const head = { ...(last === undefined ? at(0) : at(last.offset, last.tag)), epoch: this.epoch };
    return { head, tail, ...(withheld.length > 0 && { isWithheld: true }) };
  }
}
