import { setTimeout as delay } from "node:timers/promises";
import { Outcome, text } from "@fanfare/sdk-node";
import { channelFor, createControlClient, payloadFor } from "@fanfare/sdk-node/control";
import { apiKey } from "./server-on-valkey.ts";

/** A message that the server has acknowledged. */
export interface Acknowledged {
  readonly group: string;
  readonly text: string;
  readonly offset: number;
  /** It was stored by an earlier call under the same key, whose answer did not come. */
  readonly repeated: boolean;
}

/** How a backend publishes. */
export interface BackendOptions {
  readonly url: string;
  /** Unique; messages are `<name>/<number>`. */
  readonly name: string;
  readonly groups: readonly string[];
  /** Between an answer and the next message, in milliseconds. */
  readonly pauseMs: number;
}

/** How long a call may take before it is repeated, and the pause before a repeat, in milliseconds. */
const callTimeoutMs = 3_000;
const retryPauseMs = 30;
/** How long the last message may take when servers are no longer killed, in milliseconds. */
const patienceMs = 20_000;

/** A game's backend: publishes one message after the other, and repeats each under its key until it is answered. */
export class Backend {
  readonly acknowledged: Acknowledged[] = [];
  /** Calls that had no answer, or another one than that the message is stored. */
  unanswered = 0;
  /** Its last message was never acknowledged, though servers were no longer killed. */
  isStuck = false;
  readonly #options: BackendOptions;
  readonly #control: ReturnType<typeof createControlClient>;
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.#control = createControlClient({ url: options.url, apiKey, timeoutMs: callTimeoutMs });
    this.#running = this.#publishAll();
  }

  /** Resolves when the last message is acknowledged, or has not been in time. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const overdue = setTimeout(() => {
      this.isStuck = true;
    }, patienceMs);
    await this.#running;
    clearTimeout(overdue);
  }

  async #publishAll(): Promise<void> {
    const { name, groups, pauseMs } = this.#options;
    for (let number = 1; !this.#isStopped; number++) {
      const group = groups[number % groups.length] as string;
      const value = `${name}/${number}`;
      let answer = await this.#publish(group, value);
      while (answer === undefined) {
        if (this.isStuck) return;
        this.unanswered++;
        await delay(retryPauseMs);
        answer = await this.#publish(group, value);
      }
      this.acknowledged.push({ group, text: value, ...answer });
      await delay(pauseMs);
    }
  }

  async #publish(group: string, value: string): Promise<{ offset: number; repeated: boolean } | undefined> {
    const publication = {
      channels: [channelFor({ group })],
      payload: payloadFor(text(), value),
      idempotencyKey: value,
    };
    try {
      const { results } = await this.#control.publish({ publications: [publication] });
      const result = results[0]?.results[0];
      if (result?.outcome !== Outcome.STORED || result.position === undefined) return undefined;
      return { offset: Number(result.position.offset), repeated: result.repeated };
    } catch {
      return undefined; // killed, or not there yet
    }
  }
}
