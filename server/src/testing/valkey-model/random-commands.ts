import { type Command, publishCommand } from "../../valkey/valkey-client.ts";
import type { Random } from "../random.ts";
import { RandomFunctionCalls } from "./random-function-calls.ts";

/** To be subscribed to before. */
export const contractChannels: readonly string[] = ["{0}:news", "{1}:news", "{2}:news"];

/** Draws commands as nodes send them, and those that their functions are made of. Keys of one tag are in one slot. */
export class RandomCommands {
  readonly #random: Random;
  readonly #isCluster: boolean;
  readonly #prefix: string;
  readonly #calls: RandomFunctionCalls;
  readonly #favourite: number;
  #seq = 0;

  /** @param prefix before each key, so that no two sequences meet */
  constructor(random: Random, isCluster: boolean, prefix: string) {
    this.#random = random;
    this.#isCluster = isCluster;
    this.#prefix = prefix;
    this.#calls = new RandomFunctionCalls(random, isCluster, prefix);
    this.#favourite = random.below(16);
  }

  next(): Command {
    // Half of what is drawn is about one thing, so that a log becomes long and a session has a history.
    const kind = this.#random.chance(0.5) ? this.#favourite : this.#random.below(16);
    if (kind < 3) return asCalledByFunctions(this.#ofHash());
    if (kind < 4) return asCalledByFunctions(this.#ofKey());
    if (kind < 5) return asCalledByFunctions(this.#ofStream());
    if (kind < 6) return asCalledByFunctions(this.#ofSortedSet());
    if (kind < 7) return this.#random.chance(0.5) ? this.#ofKeyspace() : this.#ofChannels();
    const called = kind < 12 ? this.#calls.ofLog() : this.#calls.ofBroker();
    return called[0] === "FCALL" ? called : asCalledByFunctions(called);
  }

  #key(kind: string): string {
    return `${this.#prefix}:{${this.#random.below(3)}}:${kind}`;
  }

  #word(): string {
    return this.#random.pick(["a", "b", "c", "d", "g1", "ü", "\u00ff"]);
  }

  #number(below: number): string {
    return `${this.#random.below(below)}`;
  }

  #ofHash(): Command {
    const key = this.#key("hash");
    const [a, b, c] = [this.#word(), this.#word(), this.#word()];
    return this.#random.pick<Command>([
      ["HSET", key, a, b],
      ["HSET", key, a, b, c, a],
      ["HSET", key, a],
      ["HDEL", key, a, b],
      ["HGET", key, a],
      ["HMGET", key, a, b, c],
      ["HGETALL", key],
      ["HKEYS", key],
      ["HLEN", key],
      ["HEXISTS", key, a],
      ["HINCRBY", key, "n", this.#number(10)],
      ["HINCRBY", key, a, "1"],
      ["HGET", this.#key("string"), a],
    ]);
  }

  #ofKey(): Command {
    const key = this.#key(this.#random.pick(["string", "string", "hash", "set", "stream"]));
    const string = this.#key("string");
    return this.#random.pick<Command>([
      ["SET", string, this.#word()],
      ["SET", string, this.#word(), "NX", "PX", "60000"],
      ["SET", string, this.#word(), "XX"],
      ["GET", string],
      ["DEL", key],
      ["UNLINK", key],
      ["EXISTS", key],
      ["PEXPIRE", key, "90000"],
      ["PEXPIRE", key, "0"],
      ["PERSIST", key],
      ["PTTL", key],
      ["INCR", string],
      ["TYPE", key],
    ]);
  }

  #ofStream(): Command {
    const key = this.#key("stream");
    const [from, to] = [this.#number(12), this.#number(12)];
    return this.#random.pick<Command>([
      ["XADD", key, `${++this.#seq}-${this.#number(1000)}`, "h", this.#word(), "b", this.#word()],
      ["XADD", key, `${from}-5`, "h", this.#word()],
      ["XRANGE", key, from, "+", "COUNT", "3"],
      ["XRANGE", key, from, to],
      ["XRANGE", key, "-", "+"],
      ["XREVRANGE", key, to, "-", "COUNT", "2"],
      ["XDEL", key, `${from}-5`],
      ["XTRIM", key, "MINID", from],
      ["XLEN", key],
    ]);
  }

  #ofSortedSet(): Command {
    const key = this.#key("set");
    // What a range by name gives is only defined where all scores are the same.
    const names = this.#key("names");
    const name = this.#word();
    return this.#random.pick<Command>([
      ["ZADD", key, this.#number(4), name],
      ["ZADD", key, "0", name],
      ["ZREM", key, name],
      ["ZSCORE", key, name],
      ["ZCARD", key],
      ["ZCOUNT", key, "0", "(2"],
      ["ZREMRANGEBYSCORE", key, "2", "3"],
      ["ZADD", names, "0", name],
      ["ZREM", names, name],
      ["ZRANGEBYLEX", names, "-", "[c"],
      ["ZRANGEBYLEX", names, `(${name}`, "+", "LIMIT", "0", "2"],
    ]);
  }

  #ofKeyspace(): Command {
    const tag = `{${this.#random.below(3)}}`;
    const pattern = this.#random.pick([`${this.#prefix}:${tag}:*`, `${this.#prefix}:${tag}:?ash`, `*:${tag}:s*`]);
    const type = this.#random.pick([[], ["TYPE", "hash"]]);
    return ["SCAN", "0", "MATCH", pattern, "COUNT", "10000", ...type];
  }

  #ofChannels(): Command {
    const channel = this.#random.pick([...contractChannels, "{0}:nobody listens"]);
    return publishCommand(this.#isCluster, channel, Buffer.from(this.#word()));
  }
}

/** The client library makes maps and truth values of the answers to some commands. Nodes send those from their functions alone. */
function asCalledByFunctions([name = "", key = "", ...args]: Command): Command {
  return ["EVAL", "return server.call(ARGV[1], KEYS[1], unpack(ARGV, 2))", "1", key, name, ...args];
}
