import { Acknowledgement } from "@fanfare/proto/config/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { randomTag, systemRandom } from "../../random.ts";
import { type RepeatWindow, repeatWindow } from "../identity-table.ts";
import type { LogPosition } from "../log-position.ts";
import type {
  AppendRequest,
  AppendResult,
  LogChannel,
  LogEnds,
  LogPolicy,
  MessageLog,
  PositionVerdict,
  ReadRequest,
  ReadResult,
} from "../message-log.ts";
import { backwardPage, forwardPage } from "../read-page.ts";
import { ChannelLog } from "./channel-log.ts";

/** What a {@link MemoryMessageLog} is made of. */
export interface MemoryMessageLogOptions {
  readonly clock: Clock;
  /** Bytes of all entries on this node. Default: 256 MiB. */
  readonly maxBytes?: number;
  /** Channels whose position is kept, with or without entries. Default: 100,000. */
  readonly maxChannels?: number;
  readonly window?: RepeatWindow;
  /** A random number of 32 bits, not 0. Default: the system's. */
  readonly randomTag?: () => number;
}

/**
 * The embedded log: in memory, gone with the process. One copy is all there is, so every policy is acknowledged by it, `replica_strict` by
 * none.
 *
 * Bounds: each channel by its retention, applied when the channel is used and to channels that nobody uses as others are appended to;
 * the node by `maxBytes`, past which the channel that was appended to the longest ago gives up its oldest entries first (its readers are
 * told a gap), and by `maxChannels`, past which that channel's position is forgotten (a new epoch).
 */
export class MemoryMessageLog implements MessageLog {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #maxChannels: number;
  readonly #window: RepeatWindow;
  readonly #randomTag: () => number;
  /** Those appended to last come last. */
  readonly #channels = new Map<string, ChannelLog>();
  /** Those that hold entries, in the same order. */
  readonly #holding = new Set<ChannelLog>();
  #heldBytes = 0;
  #lastEpoch = 0;

  constructor(options: MemoryMessageLogOptions) {
    this.#clock = options.clock;
    this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
    this.#maxChannels = options.maxChannels ?? 100_000;
    this.#window = options.window ?? repeatWindow;
    this.#randomTag = options.randomTag ?? (() => randomTag(systemRandom));
  }

  /** Bytes held for entries, with an estimate of what comes with each. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Channels whose position is kept. */
  get channels(): number {
    return this.#channels.size;
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    refuseStrict(request.policy);
    const nowMs = this.#clock.nowMs();
    const channel = this.#open(request.channel);
    const result = this.#change(channel, () => {
      const appended = channel.append(request, this.#randomTag(), nowMs);
      channel.retention = request.policy.retention;
      channel.trim(channel.retention, nowMs);
      return appended;
    });
    if (result.verdict === "stored") this.#touch(nameOf(request.channel), channel);
    this.#shrink(nowMs);
    switch (result.verdict) {
      case "overtaken":
        throw new FanfareError(ErrorCode.UNAVAILABLE, "a later message of this publisher is stored already");
      case "forgotten":
        return { outcome: "unknown", position: undefined, reason: "identity forgotten" };
      default:
        return {
          outcome: "stored",
          position: result.position,
          previousTag: result.entry?.previousTag ?? 0,
          repeated: result.verdict === "repeated",
          acknowledged: "primary",
          body: result.entry?.body,
          route: undefined,
        };
    }
  }

  async read({ channel, policy, direction, from, limit, maxBytes }: ReadRequest): Promise<ReadResult> {
    const log = this.#trimmed(channel, policy);
    const { head, tail } = log;
    const nowMs = this.#clock.nowMs();
    const isForward = direction === "forward";
    const start = from ?? (isForward ? tail : head);
    const verdict = log.verdictOf(start);
    if (verdict !== "ok") return { verdict, head, tail };
    const offset = from === undefined && !isForward ? head.offset + 1 : start.offset;
    const found = log.entriesFrom(offset, isForward ? 1 : -1, limit, maxBytes);
    const page = isForward
      ? forwardPage({ from: start, ...found, end: head, nowMs })
      : backwardPage({ from: start, ...found, end: tail, nowMs });
    return { verdict, head, tail, ...page };
  }

  async ends(channel: LogChannel, policy: LogPolicy): Promise<LogEnds> {
    const { head, tail } = this.#trimmed(channel, policy);
    return { head, tail };
  }

  async rewind(channel: LogChannel, policy: LogPolicy, count: number): Promise<LogEnds & { position: LogPosition }> {
    const log = this.#trimmed(channel, policy);
    const { head, tail } = log;
    return { head, tail, position: log.positionAt(Math.max(tail.offset, head.offset - count)) };
  }

  async deleteMessage(channel: LogChannel, policy: LogPolicy, position: LogPosition): Promise<PositionVerdict> {
    const log = this.#trimmed(channel, policy);
    const verdict = log.verdictOf(position);
    if (verdict === "ok") this.#change(log, () => log.deleteAt(position.offset));
    return verdict;
  }

  async clear(channel: LogChannel): Promise<LogPosition> {
    const log = this.#open(channel);
    this.#change(log, () => log.clear(this.#nextEpoch()));
    return log.head;
  }

  async erase(channel: LogChannel): Promise<void> {
    this.#forget(nameOf(channel));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channels.clear();
    this.#holding.clear();
    this.#heldBytes = 0;
  }

  #open(channel: LogChannel): ChannelLog {
    const name = nameOf(channel);
    let log = this.#channels.get(name);
    if (log !== undefined) return log;
    const [oldest] = this.#channels.keys();
    if (this.#channels.size >= this.#maxChannels && oldest !== undefined) this.#forget(oldest);
    log = new ChannelLog(this.#nextEpoch(), this.#window, this.#clock.nowMs());
    this.#channels.set(name, log);
    return log;
  }

  #trimmed(channel: LogChannel, policy: LogPolicy): ChannelLog {
    const log = this.#open(channel);
    log.retention = policy.retention;
    this.#change(log, () => log.trim(policy.retention, this.#clock.nowMs()));
    return log;
  }

  /** Carries out what changes how much a channel holds. */
  #change<Result>(channel: ChannelLog, change: () => Result): Result {
    const before = channel.heldBytes;
    const result = change();
    this.#heldBytes += channel.heldBytes - before;
    if (channel.isEmpty) this.#holding.delete(channel);
    return result;
  }

  #touch(name: string, channel: ChannelLog): void {
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    this.#holding.delete(channel);
    this.#holding.add(channel);
  }

  /** Drops what has aged in the channels appended to the longest ago, and their oldest entries while the node holds too much. */
  #shrink(nowMs: number): void {
    for (const channel of this.#holding) {
      this.#change(channel, () => {
        if (channel.retention !== undefined) channel.trim(channel.retention, nowMs);
      });
      const isNewest = this.#holding.size === 1;
      while (this.#heldBytes > this.#maxBytes && !channel.isEmpty && !(isNewest && channel.isSingle)) {
        this.#change(channel, () => channel.dropOldest());
      }
      if (this.#heldBytes <= this.#maxBytes && !channel.isEmpty) return;
    }
  }

  #forget(name: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    this.#channels.delete(name);
    this.#holding.delete(channel);
    this.#heldBytes -= channel.heldBytes;
  }

  #nextEpoch(): number {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.trunc(this.#clock.nowMs() * 1000));
    return this.#lastEpoch;
  }
}

function nameOf({ appId, key }: LogChannel): string {
  return `${appId}/${key}`;
}

function refuseStrict({ acknowledgement }: LogPolicy): void {
  if (acknowledgement !== Acknowledgement.REPLICA_STRICT) return;
  throw new FanfareError(ErrorCode.NOT_REPLICATED, "the embedded log has no replica; use Valkey, or another policy");
}
