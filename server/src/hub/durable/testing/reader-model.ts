import { fromBinary } from "@bufbuild/protobuf";
import type { CloseCode } from "@fanfare/proto/v1";
import {
  type GapReason,
  type Message,
  type Position,
  type ServerFrame,
  ServerFramesSchema,
  type Skip,
  type Subscribed,
} from "@fanfare/proto/v1";
import type { OutboundFrame } from "../../../wire/outbound-frame.ts";
import type { SessionLink } from "../../session-link.ts";

/** A position as numbers. */
export interface Place {
  readonly epoch: number;
  readonly offset: number;
  readonly tag: number;
}

/** What a receiver was given, and what it makes of it. */
export interface ReaderEvents {
  message(at: Place, text: string): void;
  skipped(from: number, to: Place): void;
  gap(reason: GapReason, from: Place, to: Place): void;
  caughtUp?(at: Place): void;
}

/**
 * A client as the protocol text describes it (section 12.1): it takes a message or skip only if it follows what it has, and calls anything
 * else a fault of the server.
 */
export class ReaderModel implements SessionLink {
  readonly clientInfo = "model";
  readonly roundTripUs = 0;
  readonly listener = 0;
  readonly goingAway = false;
  readonly queueBytes = 1_048_576;
  readonly faults: string[] = [];
  /** Undefined: not subscribed. */
  place: Place | undefined;
  closed = false;
  #isBlocked = false;
  #waiting: (OutboundFrame | (() => void))[] = [];
  #unblocked: PromiseWithResolvers<void> | undefined;
  readonly #events: ReaderEvents;

  constructor(events: ReaderEvents) {
    this.#events = events;
  }

  get queuedBytes(): number {
    return this.#waiting.reduce((sum, one) => sum + (typeof one === "function" ? 0 : one.bytes.length), 0);
  }

  enqueue(frame: OutboundFrame): void {
    if (this.#isBlocked) this.#waiting.push(frame);
    else this.#take(frame);
  }

  /** Does something when everything sent before was taken; an answer that the test stands in for. */
  whenTaken(action: () => void): void {
    if (this.#isBlocked) this.#waiting.push(action);
    else action();
  }

  writable(): Promise<void> {
    if (!this.#isBlocked) return Promise.resolve();
    this.#unblocked ??= Promise.withResolvers();
    return this.#unblocked.promise;
  }

  close(_code: CloseCode): void {
    this.lose();
  }

  /** The connection is cut: what waits is lost. */
  lose(): void {
    this.closed = true;
    this.#waiting = [];
    this.#unblocked?.resolve();
  }

  goAway(): void {}
  handOver(): void {}

  /** The reader stops reading. */
  block(): void {
    this.#isBlocked = true;
  }

  /** The reader reads again. */
  unblock(): void {
    this.#isBlocked = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      if (typeof one === "function") one();
      else this.#take(one);
    }
    this.#unblocked?.resolve();
    this.#unblocked = undefined;
  }

  /** The answer to `subscribe`. */
  subscribed({ position, gap }: Subscribed, asked: Place | undefined): void {
    const to = placeOf(position);
    if (gap !== undefined && asked !== undefined) this.#events.gap(gap.reason, asked, to);
    this.place = to;
  }

  #take(frame: OutboundFrame): void {
    if (this.closed) return;
    for (const one of fromBinary(ServerFramesSchema, frame.bytes).frames) this.#takeFrame(one);
  }

  #takeFrame({ kind }: ServerFrame): void {
    if (kind.case === "message") this.#takeMessage(kind.value);
    else if (kind.case === "skip") this.#takeSkip(kind.value);
    else if (kind.case === "subscription" && kind.value.event.case === "gap") {
      const { reason, from, to } = kind.value.event.value;
      const before = this.place;
      this.place = placeOf(to);
      if (before === undefined) this.faults.push("a gap without a subscription");
      else if (placeOf(from).offset !== before.offset)
        this.faults.push(`a gap from ${from?.offset}, not ${before.offset}`);
      else this.#events.gap(reason, before, this.place);
    } else if (kind.case === "subscription" && kind.value.event.case === "caughtUp") {
      const at = placeOf(kind.value.event.value.position);
      if (at.offset !== this.place?.offset) this.faults.push(`caught up at ${at.offset}, not ${this.place?.offset}`);
      this.#events.caughtUp?.(at);
    }
  }

  #takeMessage({ log, payload }: Message): void {
    const offset = Number(log?.offset ?? 0);
    const { place } = this;
    if (place === undefined) return; // unsubscribed
    if (offset !== place.offset + 1 || log?.previousTag !== place.tag) {
      this.faults.push(`message ${offset} (after ${log?.previousTag}) does not follow ${place.offset} (${place.tag})`);
      return;
    }
    this.place = { epoch: place.epoch, offset, tag: log.tag };
    this.#events.message(this.place, String(payload?.data.value ?? ""));
  }

  #takeSkip({ fromOffset, toOffset, tag, previousTag }: Skip): void {
    const { place } = this;
    if (place === undefined) return;
    if (Number(fromOffset) !== place.offset + 1 || previousTag !== place.tag) {
      this.faults.push(`skip ${fromOffset}-${toOffset} does not follow ${place.offset}`);
      return;
    }
    this.place = { epoch: place.epoch, offset: Number(toOffset), tag };
    this.#events.skipped(Number(fromOffset), this.place);
  }
}

/** A position of the wire as numbers. */
function placeOf(position: Position | undefined): Place {
  return {
    epoch: Number(position?.epoch ?? 0),
    offset: Number(position?.offset ?? 0),
    tag: position?.tag ?? 0,
  };
}
