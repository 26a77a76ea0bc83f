import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { type FunctionLoader, isFunctionMissing } from "../../valkey/function-loader.ts";
import { SlotMap } from "../../valkey/slot-map.ts";
import { isConnectionFailure, type SupervisedClient } from "../../valkey/supervised-client.ts";
import type { Command, Reply } from "../../valkey/valkey-client.ts";
import { type Mark, markOf } from "./reply-parsing.ts";

/** What a {@link GroupedCalls} is made of. */
export interface GroupedCallsOptions {
  readonly functionPrefix: string;
  readonly keyPrefix: string;
  readonly client: SupervisedClient;
  readonly loader: FunctionLoader;
  readonly clock: Clock;
  readonly cluster: boolean;
  /** Wait for a replica: how long, in milliseconds; 0: do not. */
  readonly waitTimeoutMs: number;
  /** How long a group may take beside that, in milliseconds. */
  readonly groupTimeoutMs: number;
  /** How long a call is tried again, in milliseconds. */
  readonly callTimeoutMs: number;
}

/** Bounds of one group, and of what waits in all; past the latter a call is refused. */
const maxGroupCalls = 256;
const maxGroupBytes = 1024 * 1024;
const maxWaitingCalls = 20_000;
const maxWaitingBytes = 32 * 1024 * 1024;

/** What became of a call. */
export interface CallResult {
  /** The last answer; undefined if none came in time. */
  readonly reply: Reply | undefined;
  /** Who holds what the call has written; undefined: not known in time. Without waiting: the primary. */
  readonly acknowledged: "primary" | "replica" | undefined;
  /** An earlier try may have been carried out, so that the answer may be to a repeat. */
  readonly triedBefore: boolean;
}

interface Call extends PromiseWithResolvers<CallResult> {
  readonly tag: string;
  readonly command: Command;
  readonly bytes: number;
  /** Calls are sent in this order. */
  readonly order: number;
  readonly deadlineMs: number;
  reply: Reply | undefined;
  triedBefore: boolean;
}

/** What waits for one primary, of which one group at a time is under way: what arrives meanwhile is the next group. */
interface Shard {
  readonly id: string;
  waiting: Call[];
  isBusy: boolean;
  /** As of the last group. Believing in one that is not there costs a WAIT in vain, so at first there is none. */
  hasReplica: boolean;
  failures: number;
}

/**
 * Calls of functions that write, sent in groups, so that those under way at the same moment share one round trip and one WAIT.
 *
 * A function called through here must recognise its repeat, and must write something then too: a call is sent again until the deadline when
 * its group failed, when it was carried out at another node than its group's WAIT (GLIDE follows redirections in a group), and when a
 * replica turned up that its group has not waited for. WAIT speaks for what its own connection wrote last, and for nothing else.
 */
export class GroupedCalls {
  readonly #options: GroupedCallsOptions;
  readonly #slots = new SlotMap();
  readonly #shards = new Map<string, Shard>();
  #order = 0;
  #waitingCalls = 0;
  #waitingBytes = 0;
  #closed = false;

  constructor(options: GroupedCallsOptions) {
    this.#options = options;
  }

  /** Reads the topology. Without it calls are made all the same, in worse groups. */
  async refresh(): Promise<void> {
    if (this.#options.cluster) await this.#slots.refresh(this.#options.client);
    this.#regroup();
  }

  /** @throws FanfareError UNAVAILABLE when certainly nothing was done */
  call(tag: string, command: Command, bytes: number): Promise<CallResult> {
    if (this.#closed) return Promise.reject(unavailable("the log is closed"));
    if (this.#waitingCalls >= maxWaitingCalls || this.#waitingBytes + bytes > maxWaitingBytes) {
      return Promise.reject(unavailable("too many messages wait to be stored; try again"));
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
      reply: undefined,
      triedBefore: false,
    };
    this.#waitingCalls++;
    this.#waitingBytes += bytes;
    const shard = this.#shardOf(tag);
    shard.waiting.push(call);
    this.#start(shard);
    return call.promise;
  }

  /** Calls that have no result yet fail, or are unknown if they were sent. */
  close(): void {
    this.#closed = true;
    for (const shard of this.#shards.values()) for (const call of shard.waiting.splice(0)) this.#giveUp(call);
  }

  #shardOf(tag: string): Shard {
    const id = this.#slots.primaryOf(tag);
    let shard = this.#shards.get(id);
    if (shard === undefined) {
      shard = { id, waiting: [], isBusy: false, hasReplica: false, failures: 0 };
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
    const group = takeGroup(shard);
    const again = group.length === 0 ? [] : await this.#send(shard, group);
    if (again.length > 0) await this.#prepareAgain(shard);
    else shard.failures = 0;
    shard.isBusy = false;
    if (this.#closed) for (const call of again) this.#giveUp(call);
    else this.#requeue(again);
    this.#start(shard);
  }

  /** @returns what is to be tried again */
  async #send(shard: Shard, group: readonly Call[]): Promise<Call[]> {
    const { client, loader } = this.#options;
    let replies: readonly Reply[];
    let proof: Proof;
    try {
      ({ replies, proof } = await this.#pipeline(
        group.map((call) => call.command),
        (group[0] as Call).tag,
        shard,
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
        if (isConnectionFailure(reply) || isPassing(reply)) again.push(call);
        else this.#fail(call, new FanfareError(ErrorCode.INTERNAL, "the store refused the call", { cause: reply }));
        continue;
      }
      call.reply = reply;
      if (proof.covers(markOf(reply))) this.#resolve(call, proof.acknowledged);
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
  ): Promise<{ replies: readonly Reply[]; proof: Proof }> {
    const { client, waitTimeoutMs, groupTimeoutMs, cluster, functionPrefix } = this.#options;
    const waits = waitTimeoutMs > 0;
    const waited = waits && shard.hasReplica;
    const last: Command[] = [];
    if (waited) last.push(["WAIT", "1", String(waitTimeoutMs)]);
    // Both behind the WAIT: the mark tells which answers were given before it, the role whether it was in vain.
    if (waits) last.push(["FCALL", `${functionPrefix}_mark`, "0", cluster ? "1" : "0"], ["ROLE"]);
    const timeoutMs = groupTimeoutMs + (waited ? waitTimeoutMs : 0);
    const replies = await client.pipeline([...commands, ...last], `{${tag}}`, timeoutMs, shard.id);
    if (!waits) return { replies, proof: { acknowledged: "primary", covers: () => true } };
    const [mark, role] = replies.slice(-2);
    const replicas = replicasOf(role);
    shard.hasReplica = replicas !== undefined && replicas > 0;
    const waitReply = waited ? replies[commands.length] : undefined;
    return { replies, proof: proofOf(waitReply, replicas, mark instanceof Error ? undefined : markOf(mark)) };
  }

  /**
   * Proves what was carried out at another node than its group's WAIT, or before a replica was known: a write and a WAIT at the node that
   * answered cover all it has written before. @returns what could not be proven, for instance because the node is gone
   */
  async #prove(calls: readonly Call[]): Promise<Call[]> {
    const { cluster, client, functionPrefix, keyPrefix } = this.#options;
    if (cluster) await this.#slots.refresh(client).catch(() => {});
    const left: Call[] = [];
    for (const [node, ofNode] of Map.groupBy(calls, (call) => markOf(call.reply).node)) {
      const tag = cluster ? this.#slots.tagOf(node) : (ofNode[0] as Call).tag;
      if (tag === undefined) {
        left.push(...ofNode);
        continue;
      }
      const touch: Command = [
        "FCALL",
        `${functionPrefix}_touch`,
        "1",
        `${keyPrefix}:{${tag}}:touch`,
        cluster ? "1" : "0",
      ];
      try {
        const { replies, proof } = await this.#pipeline([touch], tag, this.#shardOf(tag));
        const [reply] = replies;
        const isTouched = reply !== undefined && !(reply instanceof Error) && proof.covers(markOf(reply));
        for (const call of ofNode) {
          if (isTouched && proof.covers(markOf(call.reply))) this.#resolve(call, proof.acknowledged);
          else left.push(call);
        }
      } catch {
        left.push(...ofNode);
      }
    }
    return left;
  }

  /** Before a second try: the functions, the topology, and a pause that grows with the failures. */
  async #prepareAgain(shard: Shard): Promise<void> {
    const { client, loader, clock, cluster } = this.#options;
    await loader.current?.catch(() => {});
    if (cluster) await this.#slots.refresh(client).catch(() => {});
    const pauseMs = Math.min(20 * 2 ** shard.failures++, 400);
    await new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve));
  }

  /** Puts calls back in their order, and gives up those whose time has passed. */
  #requeue(again: readonly Call[]): void {
    if (again.length === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const call of again) {
      if (call.deadlineMs <= nowMs) this.#giveUp(call);
      else this.#shardOf(call.tag).waiting.push(call);
    }
    this.#regroup();
  }

  /** Gives every waiting call to the primary that serves it now. */
  #regroup(): void {
    const calls = [...this.#shards.values()].flatMap((shard) => shard.waiting.splice(0));
    calls.sort((a, b) => a.order - b.order);
    for (const call of calls) this.#shardOf(call.tag).waiting.push(call);
    for (const shard of this.#shards.values()) {
      if (!shard.isBusy && shard.waiting.length === 0) this.#shards.delete(shard.id);
      this.#start(shard);
    }
  }

  #giveUp(call: Call): void {
    this.#settle(call);
    const { reply, triedBefore } = call;
    if (!triedBefore && reply === undefined) return call.reject(unavailable("the log's store is out of reach"));
    call.resolve({ reply, acknowledged: undefined, triedBefore });
  }

  #resolve(call: Call, acknowledged: CallResult["acknowledged"]): void {
    this.#settle(call);
    call.resolve({ reply: call.reply, acknowledged, triedBefore: call.triedBefore });
  }

  #fail(call: Call, error: FanfareError): void {
    this.#settle(call);
    call.reject(error);
  }

  #settle(call: Call): void {
    this.#waitingCalls--;
    this.#waitingBytes -= call.bytes;
  }
}

function takeGroup(shard: Shard): Call[] {
  let count = 0;
  let bytes = 0;
  for (const call of shard.waiting) {
    if (count >= maxGroupCalls || (count > 0 && bytes + call.bytes > maxGroupBytes)) break;
    count++;
    bytes += call.bytes;
  }
  return shard.waiting.splice(0, count);
}

/** Replicas in sync, from `ROLE`; undefined if the node is no primary. */
function replicasOf(role: Reply | undefined): number | undefined {
  if (!Array.isArray(role) || String(role[0]) !== "master") return undefined;
  return (role[2] as readonly Reply[]).length;
}

/** Who holds what was written at one node before a moment. */
interface Proof {
  /** Undefined: a replica is there and did not answer in time. */
  readonly acknowledged: "replica" | "primary" | undefined;
  /** Whether it speaks for the write that was answered under a mark. */
  covers(mark: Mark): boolean;
}

function proofOf(waitReply: Reply | undefined, replicas: number | undefined, here: Mark | undefined): Proof {
  const isReplicated = typeof waitReply === "number" && waitReply > 0;
  const isProof = isReplicated || replicas === 0 || typeof waitReply === "number";
  return {
    acknowledged: isReplicated ? "replica" : replicas === 0 ? "primary" : undefined,
    covers: ({ node, run, number }) =>
      isProof && here !== undefined && node === here.node && run === here.run && number < here.number,
  };
}

/** Errors of a command that was not carried out and may be later. */
function isPassing(reply: Reply | undefined): boolean {
  if (!(reply instanceof Error)) return true;
  const text =
    /TRYAGAIN|CLUSTERDOWN|MOVED|ASK|LOADING|MASTERDOWN|READONLY|NOREPLICAS|BUSY|OOM|MISCONF|function not found/i;
  return text.test(reply.message);
}

function unavailable(message: string): FanfareError {
  return new FanfareError(ErrorCode.UNAVAILABLE, message);
}
