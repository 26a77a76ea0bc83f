import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { testSeed } from "../../../../test/test-seed.ts";
import { brokerFunctionPrefix, brokerFunctions } from "../../broker/valkey/broker-functions.ts";
import { functionPrefix, logFunctions } from "../../log/valkey/log-functions.ts";
import { FunctionLoader } from "../../valkey/function-loader.ts";
import {
  type Command,
  connectValkey,
  glideConnector,
  publishCommand,
  type Reply,
  type ValkeyClient,
  type ValkeySubscriber,
} from "../../valkey/valkey-client.ts";
import { Random } from "../random.ts";
import { startCluster, startStandalone, until, type ValkeyServers } from "../valkey-processes.ts";
import { LearnedWords } from "./learned-words.ts";
import { type ModelValkey, openModelValkey } from "./model-valkey.ts";
import { contractChannels, RandomCommands } from "./random-commands.ts";
import { verdictsByFunction } from "./random-function-calls.ts";

/** Sequences of commands on each, and commands in each. */
const sequences = 60;
const commandsInEach = 120;

/** A reply without what differs from one server to the other: marks, times, and what follows the first word of errors. */
function comparable(reply: Reply | undefined): unknown {
  if (reply instanceof Error) return `the error ${codeOf(reply)}`;
  if (Array.isArray(reply)) return reply.map(comparable);
  if (typeof reply === "number") return reply > 20_000 ? "a time to live" : reply;
  if (reply === null || reply === undefined) return null;
  return String(reply)
    .replaceAll(/[0-9a-f]*:\d+\.\d+:\d+/g, "<mark>")
    .replaceAll(/\b1\d{15}\b/g, "<us>")
    .replaceAll(/\b1\d{12}\b/g, "<ms>")
    .replaceAll(/\b1\d{9}\b/g, "<s>");
}

/** The first word of what the server answered. GLIDE says `ResponseError` for `ERR`, and begins with any other. */
function codeOf({ message }: Error): string {
  const code = /signalled by the server: - (\w+): /.exec(message)?.[1] ?? /^([A-Z]+): /.exec(message)?.[1];
  return code === "ResponseError" ? "ERR" : (code ?? message);
}

/** A page of keys comes in no order, and from the primary that is asked. */
async function scan(client: ValkeyClient, command: Command): Promise<unknown> {
  const tag = /\{\d\}/.exec(String(command[3]))?.[0] ?? "";
  const [page] = await client.pipeline([command], tag, 1000);
  const [cursor, keys] = comparable(page) as [string, string[]];
  return [cursor, [...new Set(keys)].sort()];
}

async function answer(client: ValkeyClient, command: Command): Promise<unknown> {
  if (command[0] === "SCAN") return await scan(client, command);
  return comparableTo(command, await client.send(command).catch((reason: Error) => reason));
}

function comparableTo(command: Command, answered: Reply): unknown {
  const reply = comparable(answered);
  // Of a hash with long values Valkey keeps no order.
  if (Array.isArray(reply)) {
    if (command.includes("HGETALL")) return pairsOf(reply);
    const isWhole = command[1] === `${brokerFunctionPrefix}_read` && command.length === 5;
    if (isWhole) return [reply[0], pairsOf(reply.slice(1))];
  }
  // Every third word is an age.
  const isAges = String(command[1]).endsWith("_registry_renew") && Array.isArray(reply);
  return isAges ? reply.map((word, i) => (i % 3 === 2 ? "an age" : word)) : reply;
}

function pairsOf(reply: readonly unknown[]): string[] {
  return Array.from({ length: reply.length / 2 }, (_, i) => `${reply[2 * i]}: ${reply[2 * i + 1]}`).sort();
}

/** One of the two that are compared, with what it has been told. */
class Side {
  readonly client: ValkeyClient;
  readonly #learned = new LearnedWords();
  /** Functions with what they have answered, as their tables of verdicts say it. */
  readonly verdicts = new Set<string>();

  constructor(client: ValkeyClient) {
    this.client = client;
  }

  async answer(drawn: Command): Promise<unknown> {
    const command = this.#learned.fill(drawn);
    if (command[0] !== "FCALL") return await answer(this.client, command);
    const reply = await call(this.client, command).catch((reason: Error) => reason);
    if (!(reply instanceof Error)) {
      const name = String(command[1]);
      this.#learned.learn(command, reply);
      this.verdicts.add(`${name}: ${verdictOf(name, reply)}`);
    }
    return comparableTo(command, reply);
  }
}

/** Calls a function; one without keys goes, as nodes send it, to the primary of a slot. */
async function call(client: ValkeyClient, command: Command): Promise<Reply> {
  return command[2] === "0" ? ((await client.pipeline([command], "{0}", 1000))[0] as Reply) : client.send(command);
}

function verdictOf(name: string, reply: Reply): string {
  const [verdict = "", , word = ""] = String(Array.isArray(reply) ? reply[0] : reply).split(" ");
  const isToldWith =
    (verdict === "ok" && /_(route_add|route_remove|standing_unban)$/.test(name)) ||
    (verdict === "claimed" && word === "-");
  return isToldWith ? `${verdict} ${word}` : verdict;
}

/** All functions, by their names in Valkey, with what they can answer. */
function verdictsOf(replicas: number): string[] {
  const all = Object.entries(verdictsByFunction).flatMap(([name, verdicts]) =>
    verdicts.map((verdict) => `${name}: ${verdict}`),
  );
  return all.filter((one) => replicas === 0 || !one.endsWith(": unreplicated")).sort();
}

const kinds = [
  { name: "one Valkey", shards: 0, replicas: 0, start: () => startStandalone() },
  { name: "a Valkey with a replica", shards: 0, replicas: 1, start: () => startStandalone(1) },
  { name: "a cluster, 3 + 3", shards: 3, replicas: 1, start: startCluster },
];

describe.skipIf(requireTool("valkey-server") === undefined).each(kinds)("the model of $name", (kind) => {
  const isCluster = kind.shards > 0;
  let servers: ValkeyServers;
  let real: ValkeyClient;
  let model: ModelValkey;
  const subscribers: ValkeySubscriber[] = [];

  beforeAll(async () => {
    servers = await kind.start();
    real = await connectValkey({ addresses: servers.addresses, cluster: isCluster, requestTimeoutMs: 5000 });
    model = await openModelValkey(kind);
    for (const { source } of [logFunctions, brokerFunctions]) {
      const loader = new FunctionLoader(source);
      await loader.load(real);
      await loader.load(model.client);
    }
  }, 60_000);
  afterAll(async () => {
    for (const subscriber of subscribers) subscriber.close();
    real?.close();
    await servers?.[Symbol.asyncDispose]();
  });

  it(`answers ${sequences} random sequences of commands and functions as the real one does`, async () => {
    const sides = [new Side(real), new Side(model.client)] as const;
    const published = await subscribeBoth();
    const wanted = verdictsOf(kind.replicas);
    // More of them where a seed is slow to draw what is seldom answered.
    const isDone = (sequence: number) => sequence >= sequences && sides[0].verdicts.size >= wanted.length;
    for (let sequence = 0; !isDone(sequence) && sequence < 4 * sequences; sequence++) {
      const draw = new RandomCommands(Random.of(testSeed, sequence), isCluster, `c${sequence}`);
      const history: string[] = [];
      for (let i = 0; i < commandsInEach; i++) {
        const command = draw.next();
        history.push(command.join(" "));
        const [expected, found] = [await sides[0].answer(command), await sides[1].answer(command)];
        expect(found, history.join("\n")).toEqual(expected);
      }
    }
    expect([...sides[0].verdicts].sort()).toEqual(wanted);
    await until(async () => published.real.length === published.model.length);
    expect(published.model.toSorted()).toEqual(published.real.toSorted());
    expect(published.real.length).toBeGreaterThan(10);
  }, 120_000);

  it("draws calls of every function that is loaded", async () => {
    const loaded = await servers.processes[0]?.command("FUNCTION", "LIST");
    const names = new Set(loaded?.match(new RegExp(`\\b(${functionPrefix}|${brokerFunctionPrefix})_\\w+`, "g")));
    expect([...names].sort()).toEqual(Object.keys(verdictsByFunction).sort());
  });

  /** Listens on both; returns what comes once both are known to hear. */
  async function subscribeBoth(): Promise<{ readonly real: string[]; readonly model: string[] }> {
    const heard = { real: [] as string[], model: [] as string[] };
    const hear = (list: string[]) => (channel: string, bytes: Uint8Array) =>
      void list.push(`${channel} ${Buffer.from(bytes).toString("latin1")}`);
    const options = { addresses: servers.addresses, cluster: isCluster };
    subscribers.push(await glideConnector.subscribe(options, contractChannels, hear(heard.real)));
    const { driver, process } = model;
    const connector = model.model.connectorFor(process);
    subscribers.push(await driver.settle(connector.subscribe(options, contractChannels, hear(heard.model))));
    for (const client of [real, model.client]) {
      for (const channel of contractChannels) {
        const command = publishCommand(isCluster, channel, Buffer.from("first"));
        await until(async () => (await client.send(command)) === 1);
      }
    }
    const hasAll = (list: string[]) => contractChannels.every((channel) => list.includes(`${channel} first`));
    await until(async () => (await model.client.send(["PING"])) !== undefined && Object.values(heard).every(hasAll));
    for (const list of Object.values(heard)) list.length = 0;
    return heard;
  }

  it("answers in a batch what it answers alone, and errors in their places", async () => {
    const commands: Command[] = [
      ["SET", "{b}:1", "x"],
      ["INCR", "{b}:1"],
      ["GET", "{b}:1"],
      ["FCALL", "no_such_function", "1", "{b}:1"],
      ["WAIT", "1", "300"],
    ];
    const [expected, found] = [
      await real.pipeline(commands, "{b}", 1000),
      await model.client.pipeline(commands, "{b}", 1000),
    ];
    expect(found.map(comparable)).toEqual(expected.map(comparable));
    expect(comparable(found[4])).toBe(kind.replicas > 0 ? 1 : 0);
  });

  it("tells its role, replicas and topology in the same form", async () => {
    const shapeOf = (reply: Reply): unknown => {
      if (Array.isArray(reply)) return reply.map(shapeOf);
      return typeof reply === "number" ? "number" : "text";
    };
    const ask = async (command: Command) => [
      await real.send(command, { slotOf: "{b}" }),
      await model.client.send(command, { slotOf: "{b}" }),
    ];
    const [realRole, modelRole] = await ask(["ROLE"]);
    expect(shapeOf(modelRole as Reply)).toEqual(shapeOf(realRole as Reply));
    const [realInfo, modelInfo] = (await ask(["INFO", "replication"])).map((text) =>
      [...String(text).matchAll(/slave\d:.*state=online|role:\w+|connected_slaves:\d/g)].map(([line]) =>
        line.replace(/ip=.*,port=\d+/, ""),
      ),
    );
    expect(modelInfo).toEqual(realInfo);
    expect(await answer(real, ["CLUSTER", "SLOTS"])).toEqual(
      isCluster ? expect.any(Array) : await answer(model.client, ["CLUSTER", "SLOTS"]),
    );
    if (!isCluster) return;
    const formOf = (text: Reply) =>
      String(text)
        .trim()
        .split("\n")
        .map((line) => {
          const [id = "", , flags = "", of = "", , , epoch, link, ...ranges] = line.split(" ");
          const to = of === "-" ? "-" : of.length;
          return {
            id: id.length,
            flags: flags.replace("myself,", ""),
            to,
            epoch: Number(epoch) > 0,
            link,
            ranges: ranges.length,
          };
        })
        .sort((a, b) => a.flags.localeCompare(b.flags));
    const [realNodes, modelNodes] = await ask(["CLUSTER", "NODES"]);
    expect(formOf(modelNodes as Reply)).toEqual(formOf(realNodes as Reply));
  });
});
