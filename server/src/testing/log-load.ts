import { setTimeout as delay } from "node:timers/promises";
import type { LogChannel, LogMessage, LogPolicy, MessageLog, StoredAppend } from "../log/message-log.ts";
import { appendOf } from "./log-under-test.ts";

/** An append that was acknowledged. */
export interface Acknowledgment {
  readonly channel: LogChannel;
  readonly origin: bigint;
  readonly seq: number;
  readonly result: StoredAppend;
  readonly tookMs: number;
}

/** Publishers that append one after the other, each to a channel of its own turn, until they are stopped. */
export class LogLoad {
  readonly acknowledgments: Acknowledgment[] = [];
  /** Appends that were neither acknowledged nor refused when the load was stopped. */
  readonly open: { channel: LogChannel; origin: bigint; seq: number }[] = [];
  /** How often appends were refused, by what they were told. */
  readonly refusals = new Map<string, number>();
  unknown = 0;
  readonly #log: MessageLog;
  readonly #channels: readonly LogChannel[];
  readonly #policy: LogPolicy;
  readonly #pauseMs: number;
  #isStopped = false;
  readonly #running: Promise<void>[];

  constructor(
    log: MessageLog,
    options: { channels: LogChannel[]; publishers: number; policy: LogPolicy; pauseMs: number },
  ) {
    this.#log = log;
    this.#channels = options.channels;
    this.#policy = options.policy;
    this.#pauseMs = options.pauseMs;
    this.#running = Array.from({ length: options.publishers }, (_, i) => this.#publish(BigInt(i + 1)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  /** One publisher: what is unknown is repeated before anything newer, as the protocol demands. */
  async #publish(origin: bigint): Promise<void> {
    for (let seq = 1; !this.#isStopped; seq++) {
      const channel = this.#channels[(seq + Number(origin)) % this.#channels.length] as LogChannel;
      const request = appendOf(channel, seq, { origin, policy: this.#policy, body: Buffer.from(`${origin}/${seq}`) });
      const beganAtMs = performance.now();
      for (;;) {
        const result = await this.#log.append(request).catch((reason: Error) => reason);
        if (result instanceof Error) {
          const told = `${result.message}: ${result.cause ?? ""}`;
          this.refusals.set(told, (this.refusals.get(told) ?? 0) + 1);
          break;
        }
        if (result.outcome === "stored") {
          this.acknowledgments.push({ channel, origin, seq, result, tookMs: performance.now() - beganAtMs });
          break;
        }
        this.unknown++;
        if (this.#isStopped) {
          this.open.push({ channel, origin, seq });
          break;
        }
      }
      await delay(this.#pauseMs);
    }
  }
}

/** Whatever is wrong with what a log holds after a load, in sentences. */
export function faultsOf(load: LogLoad, channel: LogChannel, messages: readonly LogMessage[]): string[] {
  const faults: string[] = [];
  const byOffset = new Map(messages.map((message) => [message.offset, message]));
  const lastSeq = new Map<bigint, number>();
  let previousTag: number | undefined;
  for (const { offset, origin, seq, tag, previousTag: claimed } of messages) {
    if (seq <= (lastSeq.get(origin) ?? 0)) faults.push(`${origin}/${seq} at ${offset} is doubled or out of order`);
    lastSeq.set(origin, seq);
    if (previousTag !== undefined && claimed !== previousTag) faults.push(`the chain is broken at ${offset}`);
    previousTag = tag;
  }
  for (const { channel: of, origin, seq, result } of load.acknowledgments) {
    if (of !== channel || result.acknowledged !== "replica") continue;
    const { offset, tag } = result.position;
    const there = byOffset.get(offset);
    if (there?.origin === origin && there.seq === seq && there.tag === tag) continue;
    faults.push(
      `${origin}/${seq} was acknowledged at ${offset}, where ${there ? `${there.origin}/${there.seq}` : "nothing"} is`,
    );
  }
  return faults;
}
