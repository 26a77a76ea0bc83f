import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { isConnectionFailure } from "../../valkey/reply-errors.ts";
import type { SupervisedClient } from "../../valkey/supervised-client.ts";
import { type Command, publishCommand, type Reply } from "../../valkey/valkey-client.ts";

/** What a {@link LaneOutbox} is made of. */
export interface LaneOutboxOptions {
  readonly client: SupervisedClient;
  readonly clock: Clock;
  readonly cluster: boolean;
  /** The primary that serves a hash tag. */
  readonly primaryOf: (tag: string) => string;
  /** How long publishing may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** Bounds of one batch; more of one turn goes in several, side by side. */
const maxBatch = 64;
const maxBatchBytes = 1024 * 1024;

interface Item extends PromiseWithResolvers<number> {
  readonly tag: string;
  readonly command: Command;
  readonly bytes: number;
}

/** In the place of receivers: the server refused, and nobody received it. */
export const refused = -1;

/**
 * Publishes. What is published within one turn of the event loop goes to each shard in one batch: with sixteen in it, each takes GLIDE less than
 * half of the time. One alone goes in a batch too, because GLIDE sends batches on: while a shard has no primary they fail at once, where a
 * command takes its whole time, and afterwards they find the new one, which a command does not. What waits is bounded by the links' credit.
 */
export class LaneOutbox {
  readonly #options: LaneOutboxOptions;
  #waiting: Item[] = [];

  constructor(options: LaneOutboxOptions) {
    this.#options = options;
  }

  /**
   * @param tag of the channel's name
   * @returns how many received it of those who have subscribed where it went to, or {@link refused}
   * @throws FanfareError UNAVAILABLE if it is not known whether it was sent
   */
  async publish(tag: string, channel: string, bytes: Uint8Array): Promise<number> {
    const receivers = await this.#publish(tag, channel, bytes);
    if (receivers === 0) void this.#reroute(tag);
    return receivers;
  }

  /**
   * Publishes, and again if nobody received it because it went to a replica. For what may come twice, and does not hurry.
   * @returns and throws what {@link publish} does; 0 if nobody has subscribed at the primary
   */
  async probe(tag: string, channel: string, bytes: Uint8Array): Promise<number> {
    const receivers = await this.#publish(tag, channel, bytes);
    if (receivers !== 0 || !(await this.#reroute(tag))) return receivers;
    return await this.#publish(tag, channel, bytes);
  }

  /** A replica publishes to those who have subscribed at it, passes the message on to the others, and says nothing of it. */
  #reroute(tag: string): Promise<boolean> {
    const { client, cluster, primaryOf, timeoutMs } = this.#options;
    return cluster ? client.reroute(`{${tag}}`, timeoutMs, primaryOf(tag)) : Promise.resolve(false);
  }

  #publish(tag: string, channel: string, bytes: Uint8Array): Promise<number> {
    const command = publishCommand(this.#options.cluster, channel, bytes);
    const item = { ...Promise.withResolvers<number>(), tag, command, bytes: bytes.length };
    this.#waiting.push(item);
    if (this.#waiting.length === 1) this.#options.clock.defer(() => this.#flush());
    return item.promise;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [primary, items] of Map.groupBy(waiting, ({ tag }) => this.#options.primaryOf(tag))) {
      for (const batch of batchesOf(items)) void this.#send(primary, batch);
    }
  }

  async #send(primary: string, batch: readonly Item[]): Promise<void> {
    const { client, timeoutMs } = this.#options;
    const { tag } = batch[0] as Item;
    try {
      const commands = batch.map(({ command }) => command);
      const replies = await client.pipeline(commands, `{${tag}}`, timeoutMs, primary);
      for (const [i, item] of batch.entries()) settle(item, replies[i]);
    } catch (reason) {
      for (const item of batch) settle(item, reason as Error);
    }
  }
}

function* batchesOf(items: readonly Item[]): Iterable<readonly Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length >= maxBatch || (batch.length > 0 && bytes + item.bytes > maxBatchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += item.bytes;
  }
  if (batch.length > 0) yield batch;
}

function settle({ resolve, reject }: Item, reply: Reply | undefined): void {
  if (typeof reply === "number") return resolve(reply);
  if (reply instanceof Error && !isConnectionFailure(reply)) return resolve(refused);
  reject(new FanfareError(ErrorCode.UNAVAILABLE, "the lane's shard is out of reach", { cause: reply }));
}
