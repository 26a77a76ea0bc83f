import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { testSeed } from "../../../../test/test-seed.ts";
import { brokerFunctions } from "../../broker/valkey/broker-functions.ts";
import { logFunctions } from "../../log/valkey/log-functions.ts";
import { FunctionLoader } from "../../valkey/function-loader.ts";
import { type Command, connectValkey, type Reply, type ValkeyClient } from "../../valkey/valkey-client.ts";
import { Random } from "../random.ts";
import { startCluster, startStandalone, type ValkeyServers } from "../valkey-processes.ts";
import { type ModelValkey, openModelValkey } from "./model-valkey.ts";
import { RandomCommands } from "./random-commands.ts";

/** Sequences of commands on each, and commands in each. */
const sequences = 40;
const commandsInEach = 60;

/** A reply without what differs from one server to the other: marks, times, and the words of errors. */
function comparable(reply: Reply | undefined): unknown {
  if (reply instanceof Error) return "an error";
  if (Array.isArray(reply)) return reply.map(comparable);
  if (typeof reply === "number") return reply > 20_000 && reply <= 100_000 ? "a time to live" : reply;
  if (reply === null || reply === undefined) return null;
  return String(reply)
    .replaceAll(/[0-9a-f]*:\d+\.\d+:\d+/g, "<mark>")
    .replaceAll(/\b1\d{15}\b/g, "<us>")
    .replaceAll(/\b1\d{12}\b/g, "<ms>");
}

async function answer(client: ValkeyClient, command: Command): Promise<unknown> {
  const reply = comparable(await client.send(command).catch((reason: Error) => reason));
  // Every third word is an age.
  const isAges = String(command[1]).endsWith("_registry_renew") && Array.isArray(reply);
  return isAges ? reply.map((word, i) => (i % 3 === 2 ? "an age" : word)) : reply;
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
    real?.close();
    await servers?.[Symbol.asyncDispose]();
  });

  it(`answers ${sequences} random sequences of commands and functions as the real one does`, async () => {
    for (let sequence = 0; sequence < sequences; sequence++) {
      const draw = new RandomCommands(Random.of(testSeed, sequence), isCluster, `c${sequence}`);
      const history: string[] = [];
      for (let i = 0; i < commandsInEach; i++) {
        const command = draw.next();
        history.push(command.join(" "));
        const [expected, found] = [await answer(real, command), await answer(model.client, command)];
        expect(found, history.join("\n")).toEqual(expected);
      }
    }
  }, 120_000);

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
