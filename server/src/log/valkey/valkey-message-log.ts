import { Acknowledgement } from "@fanfare/proto/config/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { ResolvedRetention } from "../../config/channel-policy.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { type RandomBytes, randomTag, systemRandom } from "../../random.ts";
import type { CallResult } from "../../valkey/call-group.ts";
import { Caller } from "../../valkey/caller.ts";
import { lineOf } from "../../valkey/reply-mark.ts";
import type { Command, Reply } from "../../valkey/valkey-client.ts";
import { repeatWindow } from "../identity-table.ts";
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
import { type LogConnections, smallCallBytes, unconfirmed } from "./log-connections.ts";
import { type LogKeys, logKeys } from "./log-keys.ts";
import { ProvenHeads } from "./proven-heads.ts";
import { excludeSelfFlag, parseEntries, parsePosition, parseRoute } from "./reply-parsing.ts";

/** How often a read is begun anew because the log changed while its head was proven. */
const maxReadTries = 4;

/**
 * The log in Valkey. Entries are appended by one server-side function; what a reader gets is proven to be replicated, by what this node has
 * appended or proven before, or by a WAIT of the read's own.
 */
export class ValkeyMessageLog implements MessageLog {
  readonly #connections: LogConnections;
  readonly #random: RandomBytes;
  readonly #caller: Caller;
  readonly #proven = new ProvenHeads();

  /**
   * The connections are closed with the log.
   * @param random default: the machine's own
   */
  constructor(connections: LogConnections, random = systemRandom) {
    this.#connections = connections;
    this.#random = random;
    this.#caller = new Caller(random);
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    const { channel, policy, origin, seq, idempotencyKey, body, expiresAtMs, excludeSelf } = request;
    const { acknowledgement } = policy;
    const keys = this.#keys(channel);
    const command = this.#call("append", keys, [
      String(randomTag(this.#random)),
      BigInt.asUintN(64, origin).toString(16),
      String(seq),
      idempotencyKey,
      String(excludeSelf ? excludeSelfFlag : 0),
      String(Math.trunc(expiresAtMs)),
      body,
      ...retentionArguments(policy.retention),
      acknowledgement === Acknowledgement.REPLICA_STRICT ? "1" : "0",
      String(repeatWindow.windowMs),
      String(repeatWindow.maxIdentities),
      String(repeatWindow.maxLookBack),
      keys.route,
    ]);
    const result = await this.#calls(policy).call(keys.tag, command, body.length + smallCallBytes, true);
    const { reply, triedBefore, isBelieved } = result;
    if (reply === undefined) return { outcome: "unknown", position: undefined, reason: "no answer in time" };
    const [verdict, , epoch, id, previousTag, route] = lineOf(reply);
    switch (verdict) {
      case "unreplicated":
        throw new FanfareError(
          ErrorCode.NOT_REPLICATED,
          "the channel's shard has no replica, and its policy demands one",
        );
      case "overtaken":
        throw new FanfareError(ErrorCode.UNAVAILABLE, "a later message of this publisher is stored already");
      case "forgotten":
        return { outcome: "unknown", position: undefined, reason: "identity forgotten" };
    }
    const position = parsePosition(epoch, id);
    if (!satisfies(result, policy)) return { outcome: "unknown", position, reason: "not replicated in time" };
    this.#proven.note(keys.tag, position);
    const isRepeat = verdict === "repeated";
    return {
      outcome: "stored",
      position,
      previousTag: Number(previousTag),
      repeated: isRepeat && !triedBefore,
      acknowledged: result.acknowledged ?? "primary",
      route: isBelieved ? parseRoute(route) : undefined,
      body: isRepeat ? ((reply as readonly Reply[])[2] as Buffer | undefined) : body,
    };
  }

  async read(request: ReadRequest): Promise<ReadResult> {
    const { channel, policy, direction, from, limit, maxBytes } = request;
    const keys = this.#keys(channel);
    const what = [
      direction === "forward" ? "f" : "b",
      ...(from === undefined ? ["", "", ""] : [String(from.epoch), String(from.offset), String(from.tag)]),
      String(limit),
      String(maxBytes),
    ];
    const page = await this.#peek(keys, what, request);
    if (page !== undefined) return page;
    const command = this.#call("read", keys, [...what, ...retentionArguments(policy.retention)]);
    return await this.#proved(keys, policy, command, (reply, ends, readable) =>
      this.#page(request, reply, ends, readable),
    );
  }

  /** Pages that came from a replica. */
  replicaPages = 0;

  /** A page from a replica that has the head which the caller knows; undefined: there is none, or the primary has to judge. */
  async #peek({ stream, meta, tag }: LogKeys, what: string[], request: ReadRequest): Promise<ReadResult | undefined> {
    const { ends, from } = request;
    if (!this.#connections.readsReplicas || ends === undefined || (from && from.offset < ends.tail.offset))
      return undefined;
    const { head } = ends;
    const proof = [String(head.epoch), String(head.offset), String(head.tag)];
    const reply = await this.#connections.peek("peek", [stream, meta], [...what, ...proof], tag);
    if (reply === undefined) return undefined;
    const [verdict, , epoch, , tailId] = lineOf(reply);
    if (verdict !== "ok") return undefined;
    const tail = parsePosition(epoch, tailId);
    this.replicaPages++;
    // It may have trimmed less than its primary, or more.
    return this.#page(request, reply, { head, tail: tail.offset > ends.tail.offset ? tail : ends.tail }, head);
  }

  #page({ direction, from }: ReadRequest, reply: Reply, { head, tail }: LogEnds, readable: LogPosition): ReadResult {
    const isForward = direction === "forward";
    const line = lineOf(reply);
    const verdict = line[0] as PositionVerdict;
    const ends = readableEnds({ head, tail }, readable);
    if (verdict !== "ok") return { verdict, ...ends };
    const all = parseEntries(reply);
    const entries = all.filter(({ offset }) => offset > tail.offset && offset <= readable.offset);
    const isPastEnd = isForward
      ? all.some(({ offset }) => offset > readable.offset)
      : all.some(({ offset }) => offset <= tail.offset);
    const exhausted = line.at(-1) === "1" || isPastEnd;
    const nowMs = this.#connections.clock.nowMs();
    const start = from ?? (isForward ? tail : readable);
    const page = isForward
      ? forwardPage({ from: start, entries, exhausted, end: readable, nowMs })
      : backwardPage({ from: start, entries, exhausted, end: tail, nowMs });
    const isEmptied = !isForward && !isPastEnd && entries.length === 0 && all.length > 0;
    const next = isEmptied ? { ...head, ...lastOf(all) } : page.next;
    return { verdict, ...ends, ...page, next };
  }

  async ends(channel: LogChannel, policy: LogPolicy): Promise<LogEnds> {
    const { position: _, ...ends } = await this.rewind(channel, policy, 0);
    return ends;
  }

  async rewind(channel: LogChannel, policy: LogPolicy, count: number): Promise<LogEnds & { position: LogPosition }> {
    const keys = this.#keys(channel);
    const command = this.#call("look", keys, [String(count), ...retentionArguments(policy.retention)]);
    return await this.#proved(keys, policy, command, (reply, ends, readable) => {
      const [, , epoch, , , id] = lineOf(reply);
      const position = parsePosition(epoch, id);
      return { ...readableEnds(ends, readable), position: position.offset > readable.offset ? readable : position };
    });
  }

  async deleteMessage(channel: LogChannel, policy: LogPolicy, position: LogPosition): Promise<PositionVerdict> {
    const { epoch, offset, tag } = position;
    const result = await this.#change("delete", channel, policy, [String(epoch), String(offset), String(tag)]);
    return lineOf(result)[0] as PositionVerdict;
  }

  async clear(channel: LogChannel, policy: LogPolicy): Promise<LogPosition> {
    const [, , epoch] = lineOf(await this.#change("clear", channel, policy, this.#caller.next()));
    const position = parsePosition(epoch, "0-0");
    this.#proven.note(this.#keys(channel).tag, position);
    return position;
  }

  async erase(channel: LogChannel): Promise<void> {
    const { tag, stream, meta } = this.#keys(channel);
    await this.#connections.erase(tag, [stream, meta]);
    this.#proven.forget(tag);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connections[Symbol.asyncDispose]();
  }

  /** Reads until what was read is replicated as the policy demands, or as much of it as is. */
  async #proved<Result>(
    keys: LogKeys,
    policy: LogPolicy,
    command: Command,
    resultOf: (reply: Reply, ends: LogEnds, readable: LogPosition) => Result,
  ): Promise<Result> {
    for (let tries = 0; tries < maxReadTries; tries++) {
      const reply = await this.#connections.read(command, keys.tag);
      const [, , epoch, headId, tailId] = lineOf(reply);
      const ends = { head: parsePosition(epoch, headId), tail: parsePosition(epoch, tailId) };
      if (policy.acknowledgement === Acknowledgement.PRIMARY || this.#proven.covers(keys.tag, ends.head)) {
        return resultOf(reply, ends, ends.head);
      }
      const verdict = await this.#prove(keys, policy, ends.head);
      if (verdict === "ok") return resultOf(reply, ends, ends.head);
      const known = this.#proven.get(keys.tag);
      if (verdict === undefined && known?.epoch === ends.head.epoch && known.offset >= ends.tail.offset) {
        return resultOf(reply, ends, known);
      }
      if (verdict === undefined) throw notReplicated();
    }
    throw notReplicated();
  }

  /** What a position is to the log once a replica holds it; undefined if that is not known in time. */
  async #prove(
    keys: LogKeys,
    policy: LogPolicy,
    { epoch, offset, tag }: LogPosition,
  ): Promise<PositionVerdict | undefined> {
    const command = this.#call("prove", keys, [String(epoch), String(offset), String(tag)]);
    const result = await this.#calls(policy).call(keys.tag, command, smallCallBytes, true);
    if (result.reply === undefined || !satisfies(result, policy)) return undefined;
    const [verdict] = lineOf(result.reply);
    if (verdict === "ok") this.#proven.note(keys.tag, { epoch, offset, tag });
    return verdict as PositionVerdict;
  }

  async #change(name: string, channel: LogChannel, policy: LogPolicy, args: readonly string[]): Promise<Reply> {
    const keys = this.#keys(channel);
    const result = await this.#calls(policy).call(keys.tag, this.#call(name, keys, args), smallCallBytes);
    if (result.reply === undefined || !satisfies(result, policy)) {
      throw unconfirmed();
    }
    return result.reply;
  }

  #keys(channel: LogChannel): LogKeys {
    return logKeys(this.#connections.keyPrefix, channel);
  }

  #call(name: string, { stream, meta }: LogKeys, args: readonly (string | Uint8Array)[]): Command {
    return this.#connections.functionCall(name, [stream, meta], args);
  }

  #calls({ acknowledgement }: LogPolicy) {
    return acknowledgement === Acknowledgement.PRIMARY ? this.#connections.plain : this.#connections.replicated;
  }
}

/** What a reader is told of where the log stands. */
function readableEnds({ head, tail }: LogEnds, readable: LogPosition): LogEnds {
  return { head: readable, tail, ...(readable.offset < head.offset && { isWithheld: true }) };
}

function satisfies({ acknowledged }: CallResult, { acknowledgement }: LogPolicy): boolean {
  if (acknowledgement === Acknowledgement.REPLICA_STRICT) return acknowledged === "replica";
  return acknowledged !== undefined;
}

function retentionArguments({ maxMessages, maxBytes, maxAgeS }: ResolvedRetention): string[] {
  return [String(maxMessages), String(maxBytes), String(Math.round(maxAgeS * 1000))];
}

function lastOf(entries: readonly { offset: number; tag: number }[]): { offset: number; tag: number } {
  const { offset, tag } = entries.at(-1) as { offset: number; tag: number };
  return { offset, tag };
}

function notReplicated(): FanfareError {
  return new FanfareError(ErrorCode.NOT_REPLICATED, "no replica holds the log in time, so that none of it can be read");
}
