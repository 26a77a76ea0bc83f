import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { Log } from "../observe/log.ts";
import { type Call, CallPlaces, type CallResult, groupSize, orAbandoned, type Shard } from "./call-group.ts";
import type { FunctionLoader } from "./function-loader.ts";
import { isConnectionFailure, isFunctionMissing, isNotCarriedOut } from "./reply-errors.ts";
import { type Mark, markOf } from "./reply-mark.ts";
import type { Slots } from "./slot-map.ts";
import type { SupervisedClient } from "./supervised-client.ts";
import type { Command, Reply } from "./valkey-client.ts";
import { primaryOffset, proofOf, replicasOf, type WriteProof } from "./write-proof.ts";

/** What a {@link GroupedCalls} is made of. */
export interface GroupedCallsOptions {
  /** What is called, for errors: `the log's store`. */
  readonly name: string;
  readonly functionPrefix: string;
  readonly keyPrefix: string;
  readonly client: SupervisedClient;
  readonly loader: FunctionLoader;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: boolean;
  /** Wait for a replica: how long, in milliseconds; 0: do not. */
  readonly waitTimeoutMs: number;
  /** How long a group may take beside that, in milliseconds. */
  readonly groupTimeoutMs: number;
  /** How long a call is tried again, in milliseconds. */
  readonly callTimeoutMs: number;
  /**
   * What to do when a replica is there and does not answer in time: leave the call unknown, or be content with the primary, at once from then on,
   * until the replica has caught up. Default: unknown.
   */
  readonly withoutReplica?: "unknown" | "primary";
  /** Whether who answered can be believed to be the primary still: what one has written that was replaced is lost. Default: always. */
  readonly isBelieved?: (mark: Mark, sentAtMs: number) => boolean;
  /** Whether what somebody answers now, who is not asked for a proof, can be relied upon. Default: never. */
  readonly judge?: (mark: Mark) => boolean;
}

/** Bounds of what waits in all; past them a call is refused. */
const maxWaitingCalls = 20_000;
const maxWaitingBytes = 32 * 1024 * 1024;

/**
 * Calls of functions that write, sent in groups, so that those under way at the same moment share one round trip and one WAIT.
 *
 * A function called through here must recognise its repeat, and must write something then too: a call is sent again until the deadline when
 * its group failed, when it was carried out at another node than its group's WAIT (GLIDE follows redirections in a group), and when a
 * replica turned up that its group has not waited for. WAIT speaks for what its own connection wrote last, and for nothing else.
 *
 * Calls of one tag are carried out in their order, unless single ones of a group fail: while some wait, are under way or about to be tried again,
 * later ones wait behind them, also when the tag has another primary meanwhile.
 */
export class GroupedCalls {
  readonly #options: GroupedCallsOptions;
  readonly #shards = new Map<string, Shard>();
  readonly #places = new CallPlaces();
  #order = 0;
  /** Calls before this one, by their order, are not tried again. */
  #givenUpBefore = 0;
  #waitingCalls = 0;
  #waitingBytes = 0;
  #closed = false;
  /** Times that a replica that had answered did not in time. */
  lateReplicas = 0;

  constructor(options: GroupedCallsOptions) {
    this.#options = options;
  }

  /**
   * @param isLateHarmless whether it does no harm when it is carried out after calls that were made later
   * @throws FanfareError UNAVAILABLE when certainly nothing was done
   */
  call(tag: string, command: Command, bytes: number, isLateHarmless = false): Promise<CallResult> {
    if (this.#closed) return Promise.reject(this.#unavailable("is closed"));
    if (this.#waitingCalls >= maxWaitingCalls || this.#waitingBytes + bytes > maxWaitingBytes) {
      return Promise.reject(this.#unavailable("has too much to do; try again"));
    }
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.callTimeoutMs;
    const resolvers = Promise.withResolvers<CallResult>();
    const call: Call = {
      ...resolvers,
      tag,
      command,
      bytes,
      order: this.#order++,
      deadlineMs,
      isLateHarmless,
      reply: undefined,
      triedBefore: false,
      isBelieved: false,
    };
    this.#waitingCalls++;
    this.#waitingBytes += bytes;
    this.#start(this.#enqueue(call));
    return call.promise;
  }

  /**
   * Slots have another primary: nobody waits any longer for one that is none any more, as it may be dead. What was sent to it may be carried out all
   * the same, after what is sent now, so this is for calls that may.
   */
  topologyChanged(): void {
    const { client, slots } = this.#options;
    for (const shard of this.#shards.values()) {
      if (!shard.isBusy || slots.isPrimary(shard.id)) continue;
      client.gaveUp(shard.id);
      shard.abandon?.();
      shard.failures = 0;
      shard.wake?.();
    }
  }

  /**
   * Calls that have no result yet fail, or are unknown if they were sent, and none of them is sent again: whoever made them makes them elsewhere, and
   * one that was sent after that could overtake another that was given up.
   */
  giveUpAll(): void {
    this.#givenUpBefore = this.#order;
    for (const shard of this.#shards.values()) this.#giveUpFirst(shard, shard.waiting.length);
  }

  /** As {@link giveUpAll}, and no more are taken. */
  close(): void {
    this.#closed = true;
    this.giveUpAll();
  }

  /** @returns where it waits */
  #enqueue(call: Call): Shard {
    const shard = this.#places.of(call.tag) ?? this.#shardOf(call.tag);
    this.#places.enqueue(call, shard);
    return shard;
  }

  #shardOf(tag: string): Shard {
    const id = this.#options.slots.primaryOf(tag);
    let shard = this.#shards.get(id);
    if (shard === undefined) {
      shard = {
        id,
        waiting: [],
        isBusy: false,
        hasReplica: false,
        lateOffset: 0,
        isReplicaLate: false,
        failures: 0,
        abandon: undefined,
        wake: undefined,
      };
      this.#shards.set(id, shard);
    }
    return shard;
  }

  /** The group begins when this turn of the event loop has brought what it brings. */
  #start(shard: Shard): void {
    if (shard.isBusy || shard.waiting.length === 0) return;
    shard.isBusy = true;
    this.#options.clock.defer(() => void this.#run(shard));
  }

  async #run(shard: Shard): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const inTime = shard.waiting.findIndex(({ deadlineMs }) => deadlineMs > nowMs);
    this.#giveUpFirst(shard, inTime < 0 ? shard.waiting.length : inTime);
    const group = this.#places.dequeue(shard, groupSize(shard));
    this.#places.begun(group, shard);
    const again = group.length === 0 ? [] : await this.#send(shard, group);
    if (again.length > 0) await this.#prepareAgain(shard);
    else shard.failures = 0;
    shard.isBusy = false;
    this.#places.ended(group);
    this.#requeue(again, shard);
    this.#start(shard);
  }

  /** @returns what is to be tried again */
  async #send(shard: Shard, group: readonly Call[]): Promise<Call[]> {
    const { client, loader, judge = () => false } = this.#options;
    let replies: readonly Reply[];
    let proof: WriteProof;
    try {
      ({ replies, proof } = await this.#pipeline(
        group.map((call) => call.command),
        (group[0] as Call).tag,
        shard,
        group.every(({ isLateHarmless }) => isLateHarmless),
      ));
    } catch (reason) {
      const isUncertain = isConnectionFailure(reason);
      for (const call of group) call.triedBefore ||= isUncertain;
      return [...group];
    }
    const again: Call[] = [];
    const unproven: Call[] = [];
    for (const [i, call] of group.entries()) {
      const reply = replies[i];
      if (reply === undefined || reply instanceof Error) {
        call.triedBefore ||= isConnectionFailure(reply);
        if (isFunctionMissing(reply)) void loader.load(client).catch(() => {});
        if (isConnectionFailure(reply) || isNotCarriedOut(reply)) again.push(call);
        else this.#fail(call, this.#error(ErrorCode.INTERNAL, "refused the call", reply));
        continue;
      }
      const mark = markOf(reply);
      call.reply = reply;
      call.isBelieved = judge(mark);
      if (proof.covers(mark)) this.#resolve(call, proof.acknowledged);
      else unproven.push(call);
    }
    if (unproven.length === 0) return again;
    const stillUnproven = await this.#prove(unproven);
    for (const call of stillUnproven) call.triedBefore = true;
    return [...again, ...stillUnproven];
  }

  /** Commands, and behind them what proves who holds what they have written. */
  async #pipeline(
    commands: Command[],
    tag: string,
    shard: Shard,
    canBeAbandoned = false,
  ): Promise<{ replies: readonly Reply[]; proof: WriteProof }> {
    const { client, waitTimeoutMs, groupTimeoutMs, cluster, functionPrefix, isBelieved = () => true } = this.#options;
    const waits = waitTimeoutMs > 0;
    const waited = waits && shard.hasReplica;
    const last: Command[] = [];
    if (waited) last.push(["WAIT", "1", String(waitTimeoutMs)]);
    // Both behind the WAIT: the mark tells which answers were given before it, the role whether it was in vain.
    if (waits) last.push(["FCALL", `${functionPrefix}_mark`, "0", cluster ? "1" : "0"], ["ROLE"]);
    const timeoutMs = groupTimeoutMs + (waited ? waitTimeoutMs : 0);
    const sentAtMs = this.#options.clock.monotonicMs();
    const work = client.pipeline([...commands, ...last], `{${tag}}`, timeoutMs, shard.id);
    const replies = await (canBeAbandoned ? orAbandoned(shard, work) : work);
    if (!waits) return { replies, proof: { acknowledged: "primary", covers: () => true } };
    const [markReply, role] = replies.slice(-2);
    const waitReply = waited ? replies[commands.length] : undefined;
    const replicas = this.#replicasOf(shard, role, waitReply);
    const mark = markReply instanceof Error ? undefined : markOf(markReply);
    const proof = proofOf(waitReply, replicas, mark);
    const isDoubtful = proof.acknowledged !== undefined && mark !== undefined && !isBelieved(mark, sentAtMs);
    return { replies, proof: isDoubtful ? { ...proof, covers: () => false } : proof };
  }

  /** Replicas that are worth waiting for; undefined if the node is no primary any more. */
  #replicasOf(shard: Shard, role: Reply | undefined, waitReply: Reply | undefined): number | undefined {
    const isLate = waitReply === 0;
    if (isLate && this.#options.withoutReplica === "primary") shard.lateOffset = primaryOffset(role);
    const replicas = replicasOf(role, shard.lateOffset);
    shard.hasReplica = replicas !== undefined && replicas > 0;
    if (shard.hasReplica) shard.lateOffset = 0;
    if (isLate || shard.hasReplica) this.#replicaIs(isLate, shard);
    return replicas;
  }

  #replicaIs(late: boolean, shard: Shard): void {
    if (shard.isReplicaLate === late) return;
    shard.isReplicaLate = late;
    const { log, name, withoutReplica = "unknown" } = this.#options;
    const fields = { primary: shard.id, of: name };
    if (!late) return log.info("a replica of valkey has caught up", fields);
    this.lateReplicas++;
    log.warn("a replica of valkey is late", { ...fields, meanwhile: withoutReplica });
  }

  /**
   * Proves what was carried out at another node than its group's WAIT, or before a replica was known: a write and a WAIT at the node that
   * answered cover all it has written before. @returns what could not be proven, for instance because the node is gone
   */
  async #prove(calls: readonly Call[]): Promise<Call[]> {
    const { cluster, client } = this.#options;
    if (cluster) await this.#options.slots.refresh(client).catch(() => {});
    const left: Call[] = [];
    for (const [node, ofNode] of Map.groupBy(calls, (call) => markOf(call.reply).node)) {
      const tag = cluster ? this.#options.slots.tagOf(node) : (ofNode[0] as Call).tag;
      if (tag === undefined) {
        left.push(...ofNode);
        continue;
      }
      // A second time, because a shard that nobody has waited at tells only then that it has a replica.
      const unproven = await this.#proveAt(tag, ofNode);
      left.push(...(unproven.length === 0 ? [] : await this.#proveAt(tag, unproven)));
    }
    return left;
  }

  async #proveAt(tag: string, calls: readonly Call[]): Promise<readonly Call[]> {
    const { cluster, functionPrefix, keyPrefix } = this.#options;
    const key = `${keyPrefix}:{${tag}}:touch`;
    const touch: Command = ["FCALL", `${functionPrefix}_touch`, "1", key, cluster ? "1" : "0"];
    try {
      const { replies, proof } = await this.#pipeline([touch], tag, this.#shardOf(tag), true);
      const [reply] = replies;
      if (reply === undefined || reply instanceof Error || !proof.covers(markOf(reply))) return calls;
      return calls.filter((call) => {
        const isProven = proof.covers(markOf(call.reply));
        if (isProven) this.#resolve(call, proof.acknowledged);
        return !isProven;
      });
    } catch {
      return calls;
    }
  }

  /** Before a second try: the functions, the topology, another client if this one is being replaced, and a pause that grows with the failures. */
  async #prepareAgain(shard: Shard): Promise<void> {
    const { client, loader, clock, cluster } = this.#options;
    await loader.current?.catch(() => {});
    if (cluster) await this.#options.slots.refresh(client).catch(() => {});
    const pauseMs = Math.min(20 * 2 ** shard.failures++, 400);
    await new Promise<void>((resolve) => {
      shard.wake = resolve;
      clock.setTimer(pauseMs, resolve);
    });
    shard.wake = undefined;
    await client.replacement;
  }

  /** Puts calls back in their order, and gives up those whose time has passed, or that nobody waits for any more. */
  #requeue(again: readonly Call[], shard: Shard): void {
    const [next] = shard.waiting;
    const isElsewhere = next !== undefined && this.#options.slots.primaryOf(next.tag) !== shard.id;
    if (again.length === 0 && !isElsewhere) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const call of again) {
      if (call.deadlineMs <= nowMs || call.order < this.#givenUpBefore) this.#giveUp(call);
      else this.#enqueue(call);
    }
    this.#regroup();
  }

  /** Gives every waiting call to the primary that serves it now. */
  #regroup(): void {
    const calls = [...this.#shards.values()].flatMap((shard) => this.#places.dequeue(shard, shard.waiting.length));
    calls.sort((a, b) => a.order - b.order);
    for (const call of calls) this.#enqueue(call);
    for (const shard of this.#shards.values()) {
      if (!shard.isBusy && shard.waiting.length === 0 && !this.#options.slots.isPrimary(shard.id))
        this.#shards.delete(shard.id);
      this.#start(shard);
    }
  }

  #giveUpFirst(shard: Shard, count: number): void {
    for (const call of this.#places.dequeue(shard, count)) this.#giveUp(call);
  }

  #giveUp(call: Call): void {
    this.#settle(call);
    const { reply, triedBefore, isBelieved } = call;
    if (!triedBefore && reply === undefined) return call.reject(this.#unavailable("is out of reach"));
    call.resolve({ reply, acknowledged: undefined, triedBefore, isBelieved });
  }

  #resolve(call: Call, acknowledged: CallResult["acknowledged"]): void {
    this.#settle(call);
    const { reply, triedBefore, isBelieved } = call;
    call.resolve({ reply, acknowledged, triedBefore, isBelieved });
  }

  #fail(call: Call, error: FanfareError): void {
    this.#settle(call);
    call.reject(error);
  }

  #settle(call: Call): void {
    this.#waitingCalls--;
    this.#waitingBytes -= call.bytes;
  }

  #unavailable(what: string): FanfareError {
    return this.#error(ErrorCode.UNAVAILABLE, what);
  }

  #error(code: ErrorCode, what: string, cause?: unknown): FanfareError {
    return new FanfareError(code, `${this.#options.name} ${what}`, { cause });
  }
}
