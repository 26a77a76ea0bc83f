import { openValkeyBroker, type ValkeyBroker } from "../../broker/valkey/open-valkey-broker.ts";
import { silentLog } from "../../observe/log.ts";
import type { BrokerUnderTest } from "../broker-under-test.ts";
import { Driver } from "../simulation/driver.ts";
import { SimulatedProcess } from "../simulation/simulated-process.ts";
import { Simulation } from "../simulation/simulation.ts";
import { ValkeyModel } from "./valkey-model.ts";
import type { ValkeyModelOptions } from "./valkey-model-options.ts";

/** Brokers of two nodes on a model of Valkey. Time passes while something is awaited. */
export async function openModelBroker(
  options: Pick<ValkeyModelOptions, "shards" | "replicas">,
  seed = 1,
): Promise<BrokerUnderTest> {
  const simulation = new Simulation(seed);
  const driver = new Driver(simulation);
  const onThrown = (reason: unknown): never => {
    throw reason;
  };
  const model = new ValkeyModel({ ...options, simulation, trace: () => {}, onThrown });
  const processes = ["one", "other"].map((name) => new SimulatedProcess({ simulation, name, onThrown }));
  const open = async (process: SimulatedProcess): Promise<ValkeyBroker> =>
    await driver.settle(
      openValkeyBroker({
        valkey: { addresses: [], cluster: model.isCluster },
        clock: process.clock,
        random: process.randomBytes,
        log: silentLog,
        connector: model.connectorFor(process),
      }),
    );
  const [one, other] = processes as [SimulatedProcess, SimulatedProcess];
  const brokers = [await open(one), await open(other)] as const;
  const wrap = (broker: ValkeyBroker) => ({
    health: broker.health,
    lanes: driver.wrap(broker.lanes),
    registry: driver.wrap(broker.registry),
    routes: driver.wrap(broker.routes),
    sessions: driver.wrap(broker.sessions),
    memberships: driver.wrap(broker.memberships),
    standing: driver.wrap(broker.standing),
    settings: driver.wrap(broker.settings),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  });
  return {
    nodes: [wrap(brokers[0]), wrap(brokers[1])],
    elapse: (ms) => driver.settle(simulation.sleep(ms)),
    nowMs: () => one.clock.nowMs(),
    async [Symbol.asyncDispose]() {
      for (const broker of brokers) await broker[Symbol.asyncDispose]();
    },
  };
}
