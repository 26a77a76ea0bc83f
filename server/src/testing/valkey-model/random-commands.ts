import { brokerFunctionPrefix } from "../../broker/valkey/broker-functions.ts";
import { functionPrefix as logPrefix } from "../../log/valkey/log-functions.ts";
import type { Command } from "../../valkey/valkey-client.ts";
import type { Random } from "../random.ts";

/** Draws commands as nodes send them, and those that their functions are made of. Keys of one tag are in one slot. */
export class RandomCommands {
  readonly #random: Random;
  readonly #cluster: string;
  readonly #prefix: string;
  #seq = 0;

  /** @param prefix before each key, so that no two sequences meet */
  constructor(random: Random, isCluster: boolean, prefix: string) {
    this.#random = random;
    this.#cluster = isCluster ? "1" : "0";
    this.#prefix = prefix;
  }

  next(): Command {
    const kind = this.#random.below(10);
    if (kind < 3) return asCalledByFunctions(this.#ofHash());
    if (kind < 4) return asCalledByFunctions(this.#ofKey());
    if (kind < 5) return asCalledByFunctions(this.#ofStream());
    if (kind < 6) return asCalledByFunctions(this.#ofSortedSet());
    return kind < 8 ? this.#ofLog() : this.#ofBroker();
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
      ["TYPE", string],
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
    const name = this.#word();
    return this.#random.pick<Command>([
      ["ZADD", key, this.#number(4), name],
      ["ZADD", key, "0", name],
      ["ZREM", key, name],
      ["ZSCORE", key, name],
      ["ZCARD", key],
      ["ZCOUNT", key, "0", "(2"],
      ["ZREMRANGEBYSCORE", key, "2", "3"],
      ["ZRANGEBYLEX", key, "-", "[c"],
      ["ZRANGEBYLEX", key, `(${name}`, "+", "LIMIT", "0", "2"],
    ]);
  }

  #ofLog(): Command {
    const tag = this.#random.below(2);
    const [log, meta, route] = ["log", "meta", "route"].map((what) => `${this.#prefix}:{log${tag}}:${what}`) as [
      string,
      string,
      string,
    ];
    const call = (name: string, ...args: string[]): Command => [
      "FCALL",
      `${logPrefix}_${name}`,
      "2",
      ...[log, meta],
      this.#cluster,
      ...args,
    ];
    const retention = ["6", "400", "3600000"];
    const origin = this.#random.pick(["1", "2f", "ffffffffffffffff"]);
    const seq = this.#random.chance(0.7) ? `${++this.#seq}` : this.#number(this.#seq + 1);
    const idempotency = this.#random.chance(0.2) ? this.#word() : "";
    const entry = ["77", origin, seq, idempotency, "0", "0", this.#word().repeat(1 + this.#random.below(40))];
    return this.#random.pick<Command>([
      call("append", ...entry, ...retention, "0", "600000", "4", "8", route),
      call("append", ...entry, ...retention, "0", "600000", "4", "8", route),
      call("append", ...entry, ...retention, "1", "600000", "4", "8", route),
      call("read", "f", "", "", "", "5", "10000", ...retention),
      call("read", "b", "", "", "", "2", "100", ...retention),
      call("look", this.#number(4), ...retention),
      call("prove", "1", this.#number(5), "77"),
      call("delete", "1", this.#number(5), "77"),
      ...(this.#random.chance(0.2) ? [call("clear")] : []),
      ["FCALL", `${logPrefix}_nothing`, "1", log],
      ...["route_add", "route_remove"].map((name) => [
        "FCALL",
        `${brokerFunctionPrefix}_${name}`,
        "1",
        route,
        this.#cluster,
        this.#random.pick(["aa", "bb", "cc"]),
        this.#number(6),
      ]),
    ]);
  }

  #ofBroker(): Command {
    const call = (name: string, kind: string, ...args: string[]): Command => [
      "FCALL",
      `${brokerFunctionPrefix}_${name}`,
      "1",
      this.#key(kind),
      this.#cluster,
      ...args,
    ];
    const node = this.#random.pick(["aa", "bb", "cc"]);
    const sequence = this.#number(6);
    const member = this.#random.pick(["0", "1"]);
    return this.#random.pick<Command>([
      call("route_add", "route", node, sequence),
      call("route_remove", "route", node, sequence),
      call("read", "route", node),
      call("session_claim", "session", sequence, node, `record ${node}`, "60000", member),
      call("session_extend", "session", node, "90000"),
      call("session_end", "session", node, this.#random.pick(["", "4007"]), "60000"),
      call("member_change", "member", this.#word(), member, this.#number(20), "3"),
      call("index_change", "index", this.#word(), member, this.#number(100)),
      call("index_page", "index", this.#random.pick(["", "b"]), "2"),
      call("standing_ban", "standing", this.#random.pick(["inf", "99999999999999"]), "why"),
      call("standing_unban", "standing"),
      call("standing_revoke", "standing", "99999999999999", "60000"),
      call("registry_renew", "registry", node, `record ${node}`, "600000"),
      call("registry_remove", "registry", node),
      call("settings_set", "settings", this.#word(), this.#word()),
      call("settings_put_app", "settings", this.#word(), "0", this.#word(), this.#word()),
      call("settings_delete_app", "settings", this.#word(), "0", this.#word(), member),
      call("read", "settings"),
    ]);
  }
}

/** The client library makes maps and truth values of the answers to some commands. Nodes send those from their functions alone. */
function asCalledByFunctions([name = "", key = "", ...args]: Command): Command {
  return ["EVAL", "return server.call(ARGV[1], KEYS[1], unpack(ARGV, 2))", "1", key, name, ...args];
}
