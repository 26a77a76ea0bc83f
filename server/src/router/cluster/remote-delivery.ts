import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { DeliveryReport } from "@fanfare/proto/cluster/v1alpha";
import type { AppChannel } from "../../broker/route-store.ts";
import type { Clock, Timer } from "../../clock.ts";
import type { LogPosition } from "../../log/log-position.ts";
import type { LinkOutcome, LinkPort, LinkRecord } from "../links/link-port.ts";
import { nobody, type StoredEntry } from "../local-delivery.ts";
import type { NodeOutcome } from "../publish-outcome.ts";

/** A live message on its way to other nodes. */
export interface RemoteLive {
  readonly channel: AppChannel;
  readonly body: Uint8Array;
  readonly volatile: boolean;
  /** Two messages of which the newer replaces the older have the same; empty: none is replaced. */
  readonly conflation: string;
  readonly expiresAtMs: number;
  readonly origin: bigint;
  readonly seq: number;
  /** The session `origin` does not get it. */
  readonly excludeSelf: boolean;
  /** It goes to everybody, because the route could not be read. */
  readonly unrouted: boolean;
}

/** How long a report is waited for after its message was acknowledged, in milliseconds. */
const reportMs = 2_000;
/** Messages whose reports are waited for; past it their outcome is unknown. */
const maxWaiting = 100_000;

interface Waiting {
  readonly settle: (outcome: NodeOutcome) => void;
  /** When it was acknowledged; undefined: it was not yet. */
  deliveredAtMs: number | undefined;
}

/** Sends messages to other nodes and gathers what became of them there. The bytes of a message are the same for all nodes. */
export class RemoteDelivery {
  readonly #links: LinkPort;
  readonly #clock: Clock;
  /** By report id, then by node. */
  readonly #waiting = new Map<number, Map<bigint, Waiting>>();
  #count = 0;
  #nextId = 1;
  #timer: Timer | undefined;

  constructor(links: LinkPort, clock: Clock) {
    this.#links = links;
    this.#clock = clock;
  }

  /** Sends to each of the nodes. `each` is called once for each of them: with a report if one is wanted, else as soon as a node has it. */
  live(to: readonly bigint[], live: RemoteLive, wantsReport: boolean, each: (outcome: NodeOutcome) => void): void {
    const { channel, conflation } = live;
    const reportId = wantsReport ? this.#freeId() : 0;
    const bytes = liveBytes(live, reportId);
    const record: LinkRecord = live.volatile
      ? { class: "volatile", bytes, channel, ...(conflation !== "" && { conflation }) }
      : { class: "live", bytes, channel };
    this.#send(to, record, reportId, each);
  }

  /** Sends what a log has stored. Without a report nobody waits: a node that misses it reads it from the log. */
  stored(
    to: readonly bigint[],
    channel: AppChannel,
    entry: StoredEntry,
    unrouted: boolean,
    each: ((outcome: NodeOutcome) => void) | undefined,
  ): void {
    const reportId = each === undefined ? 0 : this.#freeId();
    const record: LinkRecord = { class: "durable", bytes: storedBytes(channel, entry, reportId, unrouted), channel };
    this.#send(to, record, reportId, each ?? (() => {}));
  }

  /** Tells of a log that was cleared. */
  cleared(to: readonly bigint[], channel: AppChannel, head: LogPosition): void {
    const record: LinkRecord = { class: "durable", bytes: clearedBytes(channel, head), channel };
    this.#links.sendToMany(to, record);
  }

  /** A DeliveryReport came in. */
  onReport(from: bigint, { id, reached, detached, excluded, refused, online }: DeliveryReport): void {
    const report = { reached, detached, excluded, online };
    this.#settle(id, from, refused ? { outcome: "failed" } : { outcome: "delivered", report });
  }

  /** A node is gone: what it has not reported it will not report. One that has left in order had nobody any more. */
  forget(node: bigint, hasLeft: boolean): void {
    for (const [id, ofId] of this.#waiting) {
      if (ofId.has(node))
        this.#settle(id, node, hasLeft ? { outcome: "delivered", report: nobody } : { outcome: "unknown" });
    }
  }

  #send(to: readonly bigint[], record: LinkRecord, reportId: number, each: (outcome: NodeOutcome) => void): void {
    const settles = to.map((node) => this.#settleOf(node, reportId, each));
    this.#links.sendToMany(to, record, settles);
  }

  /** What is called when the link of a node has settled the record. */
  #settleOf(node: bigint, reportId: number, each: (outcome: NodeOutcome) => void): (outcome: LinkOutcome) => void {
    if (reportId === 0) return (outcome) => each(outcomeOf(outcome));
    if (this.#count >= maxWaiting) {
      return (outcome) => each({ outcome: outcome === "failed" ? "failed" : "unknown" });
    }
    let ofId = this.#waiting.get(reportId);
    if (ofId === undefined) {
      ofId = new Map();
      this.#waiting.set(reportId, ofId);
    }
    const waiting: Waiting = { settle: each, deliveredAtMs: undefined };
    ofId.set(node, waiting);
    this.#count++;
    return (outcome) => {
      if (outcome !== "delivered") return this.#settle(reportId, node, outcomeOf(outcome));
      waiting.deliveredAtMs = this.#clock.monotonicMs();
      this.#scheduleSweep();
    };
  }

  #settle(id: number, node: bigint, outcome: NodeOutcome): void {
    const ofId = this.#waiting.get(id);
    const waiting = ofId?.get(node);
    if (ofId === undefined || waiting === undefined) return;
    ofId.delete(node);
    this.#count--;
    if (ofId.size === 0) this.#waiting.delete(id);
    waiting.settle(outcome);
  }

  /** Gives up reports that do not come. */
  #scheduleSweep(): void {
    this.#timer ??= this.#clock.setTimer(reportMs, () => {
      this.#timer = undefined;
      const untilMs = this.#clock.monotonicMs() - reportMs;
      let isDelivered = false;
      for (const [id, ofId] of this.#waiting) {
        for (const [node, { deliveredAtMs }] of ofId) {
          if (deliveredAtMs === undefined) continue;
          if (deliveredAtMs <= untilMs) this.#settle(id, node, { outcome: "unknown" });
          else isDelivered = true;
        }
      }
      if (isDelivered) this.#scheduleSweep();
    });
  }

  #freeId(): number {
    do this.#nextId = this.#nextId === 0xffff_ffff ? 1 : this.#nextId + 1;
    while (this.#waiting.has(this.#nextId));
    return this.#nextId;
  }
}

function outcomeOf(outcome: LinkOutcome): NodeOutcome {
  return outcome === "delivered" ? { outcome, report: undefined } : { outcome };
}

/** A Record with a LiveMessage. Written by hand, because it is written for every message. */
export function liveBytes(live: RemoteLive, reportId: number): Uint8Array {
  const { channel, body, volatile, conflation, expiresAtMs, unrouted, origin, seq, excludeSelf } = live;
  const writer = new BinaryWriter().tag(1, 2).fork();
  writer.tag(1, 2).string(channel.appId).tag(2, 2).string(channel.key).tag(3, 2).bytes(body);
  if (reportId !== 0) writer.tag(4, 0).uint32(reportId);
  if (volatile) writer.tag(5, 0).bool(true);
  if (conflation !== "") writer.tag(6, 2).string(conflation);
  if (expiresAtMs !== 0) writer.tag(7, 0).uint64(Math.trunc(expiresAtMs));
  if (unrouted) writer.tag(8, 0).bool(true);
  if (origin !== 0n) writer.tag(9, 1).fixed64(origin);
  if (seq !== 0) writer.tag(10, 0).uint64(seq);
  if (excludeSelf) writer.tag(11, 0).bool(true);
  return writer.join().finish();
}

/** A Record with a StoredMessage. */
export function storedBytes(channel: AppChannel, entry: StoredEntry, reportId: number, unrouted: boolean): Uint8Array {
  const { position, previousTag, body, origin, expiresAtMs, excludeSelf } = entry;
  const writer = storedHead(channel, position);
  if (previousTag !== 0) writer.tag(6, 5).fixed32(previousTag);
  writer.tag(7, 2).bytes(body);
  if (origin !== 0n) writer.tag(8, 1).fixed64(origin);
  if (expiresAtMs !== 0) writer.tag(9, 0).uint64(Math.trunc(expiresAtMs));
  if (excludeSelf) writer.tag(10, 0).bool(true);
  if (reportId !== 0) writer.tag(11, 0).uint32(reportId);
  if (unrouted) writer.tag(13, 0).bool(true);
  return writer.join().finish();
}

function clearedBytes(channel: AppChannel, head: LogPosition): Uint8Array {
  return storedHead(channel, head).tag(12, 0).bool(true).join().finish();
}

function storedHead({ appId, key }: AppChannel, { epoch, offset, tag }: LogPosition): BinaryWriter {
  const writer = new BinaryWriter().tag(2, 2).fork();
  writer.tag(1, 2).string(appId).tag(2, 2).string(key);
  if (epoch !== 0) writer.tag(3, 0).uint64(epoch);
  if (offset !== 0) writer.tag(4, 0).uint64(offset);
  if (tag !== 0) writer.tag(5, 5).fixed32(tag);
  return writer;
}
