import { brokerFunctionPrefix } from "../../broker/valkey/broker-functions.ts";
import { functionPrefix as logPrefix } from "../../log/valkey/log-functions.ts";
import type { Command } from "../../valkey/valkey-client.ts";
import type { Random } from "../random.ts";
import { lastEpoch, lastOffset, lastVersion } from "./learned-words.ts";

/** All functions of nodes, with what each of them can answer first; `unreplicated` only where there is no replica. */
export const verdictsByFunction: Readonly<Record<string, readonly string[]>> = {
  [`${logPrefix}_append`]: ["forgotten", "overtaken", "repeated", "stored", "unreplicated"],
  [`${logPrefix}_clear`]: ["ok"],
  [`${logPrefix}_commit_cursor`]: ["full", "ok"],
  [`${logPrefix}_cursor`]: ["none", "ok"],
  [`${logPrefix}_delete`]: ["forked", "ok", "other-epoch", "trimmed"],
  [`${logPrefix}_erase`]: ["ok"],
  [`${logPrefix}_look`]: ["ok"],
  [`${logPrefix}_mark`]: ["ok"],
  [`${logPrefix}_peek`]: ["behind", "forked", "ok", "other-epoch", "trimmed"],
  [`${logPrefix}_prove`]: ["forked", "ok", "other-epoch", "trimmed"],
  [`${logPrefix}_read`]: ["forked", "ok", "other-epoch", "trimmed"],
  [`${logPrefix}_touch`]: ["ok"],
  [`${brokerFunctionPrefix}_index_change`]: ["ok"],
  [`${brokerFunctionPrefix}_index_page`]: ["ok"],
  [`${brokerFunctionPrefix}_mark`]: ["ok"],
  [`${brokerFunctionPrefix}_member_change`]: ["changed", "full", "late", "same"],
  [`${brokerFunctionPrefix}_read`]: ["ok"],
  [`${brokerFunctionPrefix}_registry_remove`]: ["ok"],
  [`${brokerFunctionPrefix}_registry_renew`]: ["new", "renewed"],
  [`${brokerFunctionPrefix}_route_add`]: ["ok 0", "ok 1"],
  [`${brokerFunctionPrefix}_route_remove`]: ["ok 0", "ok 1"],
  [`${brokerFunctionPrefix}_session_claim`]: ["claimed", "claimed -", "ended", "stale", "unknown"],
  [`${brokerFunctionPrefix}_session_end`]: ["ok"],
  [`${brokerFunctionPrefix}_session_extend`]: ["ok"],
  [`${brokerFunctionPrefix}_settings_delete_app`]: ["ok", "stale"],
  [`${brokerFunctionPrefix}_settings_put_app`]: ["ok", "stale"],
  [`${brokerFunctionPrefix}_settings_set`]: ["crowded", "full", "late", "ok"],
  [`${brokerFunctionPrefix}_standing_ban`]: ["late", "ok"],
  [`${brokerFunctionPrefix}_standing_kick`]: ["late", "ok"],
  [`${brokerFunctionPrefix}_standing_revoke`]: ["ok"],
  [`${brokerFunctionPrefix}_standing_unban`]: ["late", "ok 0", "ok 1"],
  [`${brokerFunctionPrefix}_touch`]: ["ok"],
};

/** What the broker's functions are about, by the last part of their keys. */
const families = ["route", "session", "session", "member", "index", "standing", "registry", "settings"];
const words = ["a", "b", "c", "d", "g1", "ü", "\u00ff"];
const nodes = ["aa", "bb", "cc"];
/** Messages, bytes, age in ms. */
const retention = ["4", "400", "3600000"];

/** Draws calls of the functions that nodes call, about a few keys, so that they meet and each gives all its answers. */
export class RandomFunctionCalls {
  readonly #random: Random;
  readonly #cluster: string;
  readonly #prefix: string;
  /** Hash tags, logs and families of keys that are drawn. */
  readonly #tags: number;
  readonly #logs: number;
  readonly #families: readonly string[];
  /** Seqs that an origin has published to a log; the one below each was left out. */
  readonly #published = new Map<string, string[]>();
  #seq = 0;
  #draws = 0;

  /** @param prefix before each key */
  constructor(random: Random, isCluster: boolean, prefix: string) {
    this.#random = random;
    this.#cluster = isCluster ? "1" : "0";
    this.#prefix = prefix;
    this.#tags = 1 + random.below(3);
    this.#logs = 1 + random.below(2);
    this.#families = [random.pick(families), random.pick(families), random.pick(families)];
  }

  ofLog(): Command {
    this.#draws++;
    const log = `${this.#prefix}:{log${this.#random.below(this.#logs)}}`;
    const keys = [`${log}:log`, `${log}:meta`];
    const call = (name: string, ...args: string[]): Command => {
      return ["FCALL", `${logPrefix}_${name}`, "2", ...keys, this.#cluster, ...args];
    };
    const ofOne = (name: string, key: string, ...args: string[]): Command => {
      return ["FCALL", `${logPrefix}_${name}`, "1", `${log}:${key}`, this.#cluster, ...args];
    };
    const epoch = this.#random.pick([lastEpoch, lastEpoch, lastEpoch, "1"]);
    // Few offsets, so that they are trimmed in a log that is long and ahead of one that is short.
    const position = (): string[] => [epoch, this.#number(8), this.#random.pick(["77", "77", "78"])];
    const direction = this.#random.pick(["f", "b"]);
    const anEnd = ["", "", ""];
    const kept = [lastEpoch, this.#random.pick([lastOffset, lastOffset, "2"]), "77"];
    const cursor = [this.#random.pick(words), this.#number(3), this.#number(9), "77", this.#random.pick(["", "1"])];
    return this.#random.pick<() => Command>([
      ...Array.from({ length: 10 }, () => () => call("append", ...this.#append(log))),
      () => call("read", direction, ...anEnd, "5", "10000", ...retention),
      () => call("read", direction, ...position(), "2", "100", ...retention),
      () => call("peek", direction, ...anEnd, "5", "10000", ...kept),
      () => call("peek", direction, ...position(), "2", "100", lastEpoch, "0", "0"),
      () => call("peek", direction, ...position(), "2", "100", ...kept),
      () => call("look", this.#number(4), ...retention),
      () => call("prove", ...position()),
      () => call("delete", ...position()),
      () => (this.#random.chance(0.3) ? call("clear", ...this.#caller()) : ["HGETALL", `${log}:meta`]),
      () => (this.#random.chance(0.1) ? call("erase") : ofOne("erase", "touch")),
      () => ofOne("commit_cursor", "cursors", ...cursor, "2", "60000"),
      () => ofOne("cursor", "cursors", this.#random.pick(words)),
      () => ofOne("touch", "touch"),
      () => ["FCALL", `${logPrefix}_mark`, "0", this.#cluster],
      () => ["FCALL", `${logPrefix}_nothing`, "1", `${log}:log`],
      () => this.#ofBroker(this.#random.pick(["route_add", "route_remove"]), `${log}:route`, ...this.#change()),
    ])();
  }

  ofBroker(): Command {
    this.#draws++;
    const call = (name: string, kind: string, ...args: string[]) => this.#ofBroker(name, this.#key(kind), ...args);
    const node = this.#random.pick(nodes);
    const word = this.#random.pick(words);
    const yesOrNo = this.#random.pick(["0", "1"]);
    const change = [word, this.#random.pick([lastVersion, lastVersion, "1"]), this.#random.pick(words)];
    const kick = [this.#random.pick(["0", "0", "5"]), "4007", "50000"];
    const claim = [this.#number(6), node, `record ${node}`, "60000", yesOrNo, ...kick];
    const owned = this.#key(this.#random.pick(this.#families.filter((family) => family !== "index")) ?? "route");
    const calls: readonly Command[] = [
      call("route_add", "route", ...this.#change()),
      call("route_remove", "route", ...this.#change()),
      call("read", "route", node),
      ...Array.from({ length: 5 }, () => call("session_claim", "session", ...claim)),
      call("session_extend", "session", node, "90000"),
      call("session_end", "session", node, this.#random.pick(["", "4007"]), "60000"),
      call("member_change", "member", ...this.#caller(), word, yesOrNo, "3"),
      call("member_change", "member", ...this.#caller(), word, "1", "3"),
      call("index_change", "index", word, yesOrNo, this.#number(100)),
      call("index_page", "index", this.#random.pick(["", "b"]), "2"),
      call("standing_ban", "standing", ...this.#caller(), this.#random.pick(["inf", "99999999999999"]), "why"),
      ...Array.from({ length: 3 }, () => call("standing_unban", "standing", ...this.#caller("0"))),
      call("standing_revoke", "standing", "99999999999999", "60000"),
      call("standing_kick", "standing", ...this.#caller(), "60000"),
      call("registry_renew", "registry", node, `record ${node}`, "600000"),
      call("registry_remove", "registry", node),
      ...Array.from({ length: 4 }, () =>
        call("settings_set", "settings", ...this.#caller(), word, this.#random.pick(words), ...this.#setting()),
      ),
      call("settings_put_app", "settings", ...change, word),
      call("settings_delete_app", "settings", ...change, yesOrNo),
      call("read", "settings"),
    ];
    const isDrawn = (command: Command) => this.#families.some((family) => String(command[3]).endsWith(`:${family}`));
    return this.#random.pick<Command>([
      ...calls.filter(isDrawn),
      call("touch", "touch"),
      ["FCALL", `${brokerFunctionPrefix}_mark`, "0", this.#cluster],
      ["HGETALL", owned],
      ["PTTL", owned],
    ]);
  }

  #ofBroker(name: string, key: string, ...args: string[]): Command {
    return ["FCALL", `${brokerFunctionPrefix}_${name}`, "1", key, this.#cluster, ...args];
  }

  /** Of a change that is carried out once: who calls, and the number, which grows, and is sometimes the last again, or an older one. @param of tells callers apart
   * whose changes are answered otherwise. */
  #caller(of = ""): string[] {
    return [`${this.#random.pick(nodes)}${of}`, `${Math.floor(this.#draws / 3) + this.#random.below(40)}`];
  }

  /** Of a namespace: its value, which can be none, and how many, in how many bytes, an app and all of them may have. */
  #setting(): string[] {
    const value = this.#random.pick(["", "0", "1x", `1${this.#random.pick(words).repeat(8)}`]);
    return [value, "3", this.#random.pick(["20", "60"]), this.#random.pick(["24", "60"])];
  }

  /** Of a route: whose it is, and its sequence. */
  #change(): string[] {
    return [this.#random.pick(nodes), this.#number(6)];
  }

  /** Arguments of an append: new, a repeat, or of a seq that was left out. */
  #append(log: string): string[] {
    const origin = this.#random.pick(["1", "2f", "ffffffffffffffff"]);
    const id = `${log} ${origin}`;
    const published = this.#published.get(id) ?? [];
    const last = published.at(-1);
    const kind = last === undefined ? 0 : this.#random.below(10);
    this.#seq += 2;
    const others = [this.#random.pick(published), `${Number(last) - 1}`] as const;
    const seq = kind < 6 || last === undefined ? `${this.#seq}` : (others[kind < 8 ? 0 : 1] ?? "1");
    if (kind < 6) this.#published.set(id, [...published, seq]);
    const idempotency = this.#random.chance(0.2) ? this.#random.pick(words) : "";
    const body = this.#random.pick(words).repeat(1 + this.#random.below(40));
    const needsReplica = this.#random.chance(0.2) ? "1" : "0";
    const limits = ["600000", "4", "8"];
    return [
      ...["77", origin, seq, idempotency, "0", "0", body],
      ...[...retention, needsReplica, ...limits, `${log}:route`],
    ];
  }

  #key(kind: string): string {
    return `${this.#prefix}:{${this.#random.below(this.#tags)}}:${kind}`;
  }

  #number(below: number): string {
    return `${this.#random.below(below)}`;
  }
}
