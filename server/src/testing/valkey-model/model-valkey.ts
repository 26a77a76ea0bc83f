import type { ValkeyClient } from "../../valkey/valkey-client.ts";
import { Driver } from "../simulation/driver.ts";
import { SimulatedProcess } from "../simulation/simulated-process.ts";
import { Simulation } from "../simulation/simulation.ts";
import { ValkeyModel } from "./valkey-model.ts";
import type { ValkeyModelOptions } from "./valkey-model-options.ts";

/** A model of Valkey and a client of it. Time passes while something is awaited. */
export interface ModelValkey {
  readonly simulation: Simulation;
  readonly driver: Driver;
  readonly model: ValkeyModel;
  /** Where the client runs. */
  readonly process: SimulatedProcess;
  readonly client: ValkeyClient;
}

/** Opens a model with a simulation of its own. */
export async function openModelValkey(
  options: Pick<ValkeyModelOptions, "shards" | "replicas">,
  seed = 1,
): Promise<ModelValkey> {
  const simulation = new Simulation(seed);
  const driver = new Driver(simulation);
  const onThrown = (reason: unknown): never => {
    throw reason;
  };
  const model = new ValkeyModel({ ...options, simulation, trace: () => {}, onThrown });
  const process = new SimulatedProcess({ simulation, name: "client", onThrown });
  const connecting = model.connectorFor(process).connect({ addresses: [], cluster: model.isCluster });
  const client = driver.wrap(await driver.settle(connecting));
  await driver.settle(simulation.sleep(1500)); // a replica that has just joined confirms nothing yet
  return { simulation, driver, model, process, client };
}
