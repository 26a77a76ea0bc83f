import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { Log } from "../observe/log.ts";
import { type RandomBytes, systemRandom } from "../random.ts";
import type { ValkeyClient } from "./valkey-client.ts";

/** What a {@link SoloLease} is made of. */
export interface SoloLeaseOptions {
  readonly client: ValkeyClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Before the key. */
  readonly keyPrefix: string;
  /** Told to another node that finds the lease taken. */
  readonly nodeId: string;
  /** How long it holds unless it is renewed, in milliseconds. Default: 15,000, which is longer than a failover usually takes. */
  readonly lifeMs?: number;
  /** Default: the machine's own. */
  readonly random?: RandomBytes;
}

/** Extends the lease if it is the caller's or nobody's, for instance because a failover lost it. Answers whose it is. */
const renewScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;

const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

const defaultLifeMs = 15_000;

/**
 * The right to be the only node under a key prefix, because nodes do not know of each other: one that ran beside would miss what the other
 * stores until it looks. Taken at the start, renewed at a third of its life, and given back at the end.
 *
 * | state | left by |
 * |---|---|
 * | held | renewed -> held; an attempt fails -> out of reach; another holds it -> lost; released -> ended |
 * | out of reach | renewed -> held; not renewed for the whole life -> lost; another holds it -> lost; released -> ended |
 * | lost, ended | - |
 */
export class SoloLease {
  readonly #options: SoloLeaseOptions;
  readonly #value: string;
  readonly #key: string;
  readonly #lifeMs: number;
  readonly #lost = Promise.withResolvers<string>();
  #state: "held" | "out of reach" | "lost" | "ended" = "held";
  #renewal: Timer | undefined;
  #expiry: Timer | undefined;

  private constructor(options: SoloLeaseOptions) {
    this.#options = options;
    this.#lifeMs = options.lifeMs ?? defaultLifeMs;
    this.#key = `${options.keyPrefix}:{lease}:node`;
    this.#value = `${options.nodeId} ${Buffer.from((options.random ?? systemRandom)(8)).toString("hex")}`;
  }

  /**
   * Takes the lease. One that is held is waited for as long as it can live without its holder.
   * @throws FanfareError FAILED_PRECONDITION if another node holds it all the while; what the client throws
   */
  static async take(options: SoloLeaseOptions): Promise<SoloLease> {
    const lease = new SoloLease(options);
    await lease.#take();
    return lease;
  }

  /** Resolves with the reason, a clause, when the node must not go on. */
  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  /** Whether the last attempt to renew it succeeded. */
  get isReachable(): boolean {
    return this.#state === "held";
  }

  /** Gives it back, so that the next node need not wait. If Valkey is out of reach it ends with its life. */
  async release(): Promise<void> {
    this.#end("ended");
    const { client, log } = this.#options;
    await client.send(["EVAL", releaseScript, "1", this.#key, this.#value]).catch((reason: unknown) => {
      log.warn("the lease of this node could not be given back", { lifeMs: this.#lifeMs, reason: String(reason) });
    });
  }

  async #take(): Promise<void> {
    const { client, clock, log } = this.#options;
    const pauseMs = Math.min(500, Math.ceil(this.#lifeMs / 20));
    const deadlineMs = clock.monotonicMs() + this.#lifeMs + pauseMs;
    for (let isFirst = true; ; isFirst = false) {
      const sentAtMs = clock.monotonicMs();
      const reply = await client.send(["SET", this.#key, this.#value, "NX", "PX", String(this.#lifeMs)]);
      if (reply !== null) return this.#renewed(sentAtMs);
      const holder = nodeOf(String(await client.send(["GET", this.#key])));
      if (isFirst) log.info("waiting for the lease of another node", { holder, lifeMs: this.#lifeMs });
      if (sentAtMs >= deadlineMs) throw this.#isTaken(holder);
      await new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve));
    }
  }

  #isTaken(holder: string): FanfareError {
    return new FanfareError(
      ErrorCode.FAILED_PRECONDITION,
      `another node, ${holder}, uses this Valkey with the key prefix "${this.#options.keyPrefix}", ` +
        "and this version runs one node per prefix: set another valkey.key_prefix, or stop the other node",
      { field: "valkey.key_prefix" },
    );
  }

  async #renew(): Promise<void> {
    const { client, clock, log } = this.#options;
    const sentAtMs = clock.monotonicMs();
    try {
      const holder = String(await client.send(["EVAL", renewScript, "1", this.#key, this.#value, `${this.#lifeMs}`]));
      if (this.#isOver) return;
      if (holder !== this.#value) return this.#lose(`another node, ${nodeOf(holder)}, has taken its lease on Valkey`);
      if (this.#state === "out of reach") log.info("the lease of this node is renewed again");
      this.#renewed(sentAtMs);
    } catch (reason) {
      if (this.#isOver) return;
      if (this.#state === "held") log.warn("the lease of this node could not be renewed", { reason: String(reason) });
      this.#state = "out of reach";
      this.#renewal = clock.setTimer(Math.min(1000, this.#lifeMs / 15), () => void this.#renew());
    }
  }

  /** Its life is counted from before it was asked for, so that it never ends later here than in Valkey. */
  #renewed(sentAtMs: number): void {
    const { clock } = this.#options;
    this.#state = "held";
    this.#expiry?.cancel();
    const leftMs = this.#lifeMs - (clock.monotonicMs() - sentAtMs);
    const lifeS = this.#lifeMs / 1000;
    this.#expiry = clock.setTimer(leftMs, () => this.#lose(`its lease on Valkey could not be renewed for ${lifeS} s`));
    this.#renewal = clock.setTimer(this.#lifeMs / 3, () => void this.#renew());
  }

  #lose(reason: string): void {
    this.#end("lost");
    this.#lost.resolve(reason);
  }

  get #isOver(): boolean {
    return this.#state === "lost" || this.#state === "ended";
  }

  #end(state: "lost" | "ended"): void {
    this.#state = state;
    this.#renewal?.cancel();
    this.#expiry?.cancel();
  }
}

/** The node of a lease's value. */
function nodeOf(value: string): string {
  return value.split(" ")[0] as string;
}
