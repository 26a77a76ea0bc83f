import { describe, expect, it } from "vitest";
import { silentLog } from "../../observe/log.ts";
import { appendOf, newChannel, outline, page, readOf, stored } from "../../testing/log-under-test.ts";
import { Driver } from "../../testing/simulation/driver.ts";
import { SimulatedProcess } from "../../testing/simulation/simulated-process.ts";
import { Simulation } from "../../testing/simulation/simulation.ts";
import { ValkeyModel } from "../../testing/valkey-model/valkey-model.ts";
import { ValkeyBackend } from "../../valkey-backend.ts";
import type { LogPosition } from "../log-position.ts";
import type { LogChannel } from "../message-log.ts";
import { cursorsKey, logKeys } from "./log-keys.ts";

/** A cluster of Valkey, a channel, and two nodes of which everything has been known for a while. */
async function openShard(seed: number) {
  const simulation = new Simulation(seed);
  const driver = new Driver(simulation);
  const onThrown = (reason: unknown): never => {
    throw reason;
  };
  const model = new ValkeyModel({ shards: 3, replicas: 1, simulation, trace: () => {}, onThrown });
  const shardOf = (channel: LogChannel) => model.shardOfKey(logKeys("fanfare", channel).stream);
  const channel = newChannel();
  const shard = shardOf(channel);
  await using opened = new AsyncDisposableStack();
  const openNode = async (name: string) => {
    const process = new SimulatedProcess({ simulation, name, onThrown });
    const { clock, randomBytes: random } = process;
    const valkey = { addresses: [], cluster: true, keyPrefix: "fanfare" };
    const connector = model.connectorFor(process);
    const opening = ValkeyBackend.open({ valkey, clock, random, log: silentLog, connector });
    const { stores } = opened.use(await driver.settle(opening));
    return { process, log: driver.wrap(stores.messageLog), cursors: driver.wrap(stores.cursorStore) };
  };
  const nodes = [await openNode("one"), await openNode("other")] as const;
  const pass = (ms: number) => driver.settle(simulation.sleep(ms));
  await pass(3000);
  const former = model.primary(shard);
  const resources = opened.move();
  return {
    ...{ model, channel, nodes, former, pass },
    isReplaced: () => model.primary(shard) !== former,
    /** Another channel of the same shard. */
    sibling: Array.from({ length: 50 }, () => newChannel()).find((one) => shardOf(one) === shard) as LogChannel,
    /** A player whose cursors are on that shard. */
    player: Array.from({ length: 50 }, (_, i) => `p${i}`).find(
      (name) => model.shardOfKey(cursorsKey("fanfare", channel.appId, name).key) === shard,
    ) as string,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

describe("a primary that wakes up when its replica has taken over, and does not know", () => {
  it("acknowledges nothing alone, though it has no replica any more", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      await using shard = await openShard(seed);
      const { model, channel, nodes, former, pass } = shard;
      const [{ log }] = nodes;
      const appends: Promise<{ readonly position: LogPosition }>[] = [];
      const appendFor = async (ms: number) => {
        for (let i = 0; i < ms; i += 20) {
          appends.push(stored(log, appendOf(channel, appends.length + 1)));
          await pass(20);
        }
      };
      await appendFor(100);
      model.freeze(former);
      while (!shard.isReplaced()) await appendFor(20);
      model.setIsolated(former, true); // so that it hears late
      model.thaw(former);
      await appendFor(500);
      model.setIsolated(former, false);
      const positions = (await Promise.all(appends)).map(({ position: { offset, tag } }) => `${offset}-${tag}`);
      await pass(2000); // by now all servers know
      const { items } = await page(log, channel);
      expect(items.map((item) => `${outline([item])}-${item.tag}`)).toEqual(positions);
    }
  });

  it("does not tell that there is no cursor", async () => {
    await using shard = await openShard(1);
    const { model, channel, player, nodes, former, pass } = shard;
    const [asleep, awake] = nodes;
    const position = { epoch: 1, offset: 5, tag: 7 };
    asleep.process.freeze();
    model.freeze(former);
    while (!shard.isReplaced()) await pass(1);
    model.setIsolated(former, true);
    await stored(awake.log, appendOf(shard.sibling, 1)); // as below
    await awake.cursors.commit(channel, player, position);
    asleep.process.thaw();
    model.thaw(former);
    await pass(1);
    const cursor = asleep.cursors.get(channel, player);
    await pass(5);
    model.setIsolated(former, false);
    expect(await cursor).toEqual(position);
  });

  it("is not read, though a node that stood still with it knows its head for replicated", async () => {
    await using shard = await openShard(1);
    const { model, channel, nodes, former, pass } = shard;
    const [asleep, awake] = nodes;
    await stored(asleep.log, appendOf(channel, 1));
    asleep.process.freeze();
    model.freeze(former);
    while (!shard.isReplaced()) await pass(1);
    model.setIsolated(former, true);
    await stored(awake.log, appendOf(shard.sibling, 1)); // what is sent now reaches the former one as well, when it wakes up
    const { position } = await stored(awake.log, appendOf(channel, 2));
    asleep.process.thaw();
    model.thaw(former);
    await pass(1);
    const read = readOf(asleep.log, channel, { from: position });
    await pass(5);
    model.setIsolated(former, false);
    expect(await read).toMatchObject({ verdict: "ok", head: position });
  });
});
