import { LogConnections } from "../../log/valkey/log-connections.ts";
import { ValkeyCursorStore } from "../../log/valkey/valkey-cursor-store.ts";
import { ValkeyMessageLog } from "../../log/valkey/valkey-message-log.ts";
import { silentLog } from "../../observe/log.ts";
import type { LogUnderTest } from "../log-under-test.ts";
import { Driver } from "../simulation/driver.ts";
import { SimulatedProcess } from "../simulation/simulated-process.ts";
import { Simulation } from "../simulation/simulation.ts";
import { ValkeyModel } from "./valkey-model.ts";
import type { ValkeyModelOptions } from "./valkey-model-options.ts";

/** A log on a model of Valkey. Time passes while it is awaited. */
export async function openModelLog(
  options: Pick<ValkeyModelOptions, "shards" | "replicas">,
  seed = 1,
): Promise<LogUnderTest & { readonly model: ValkeyModel; readonly driver: Driver }> {
  const simulation = new Simulation(seed);
  const driver = new Driver(simulation);
  const onThrown = (reason: unknown): never => {
    throw reason;
  };
  const model = new ValkeyModel({ ...options, simulation, trace: () => {}, onThrown });
  const process = new SimulatedProcess({ simulation, name: "node", onThrown });
  const connections = await driver.settle(
    LogConnections.open({
      valkey: { addresses: [], cluster: model.isCluster },
      clock: process.clock,
      log: silentLog,
      connect: (valkey) => model.connectorFor(process).connect(valkey),
    }),
  );
  const log = new ValkeyMessageLog(connections, process.randomBytes);
  return {
    model,
    driver,
    log: driver.wrap(log),
    cursors: driver.wrap(new ValkeyCursorStore(connections)),
    elapse: (ms) => driver.settle(simulation.sleep(ms)),
    nowMs: () => process.clock.nowMs(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}
