import type { ValkeyConnector } from "../../valkey/valkey-client.ts";
import type { SimulatedProcess } from "../simulation/simulated-process.ts";
import { ModelClient } from "./model-client.ts";
import { ModelSubscriber } from "./model-subscriber.ts";
import type { ClusterView } from "./slots.ts";
import type { ValkeyModel } from "./valkey-model.ts";

/** Connects clients that run in a process to a model, as GLIDE does. */
export function connectorTo(model: ValkeyModel, process: SimulatedProcess): ValkeyConnector {
  return {
    connect: async (options) => model.opened(new ModelClient(model, process, options, await firstView(model, process))),
    subscribe: async (_options, channels, onPublished) => {
      const view = await firstView(model, process);
      const subscriber = model.opened(new ModelSubscriber(model, process, onPublished, view));
      subscriber.subscribe(channels);
      return subscriber;
    },
  };
}

/** Connecting takes longer while a server does not answer. @throws if none does */
async function firstView(model: ValkeyModel, process: SimulatedProcess): Promise<ClusterView | undefined> {
  const all = [...model.servers.values()];
  const isStuck = all.some((server) => !model.answers(process, server));
  const random = model.simulation.random(`connect ${model.nextRun()}`);
  const delayMs = random.between(2, 20) + (isStuck ? random.between(0, 1000) : 0);
  await new Promise<void>((resolve) => model.simulation.after(delayMs, () => process.run(resolve)));
  const reached = model.isCluster ? all : [model.primary(0)];
  if (!reached.some((server) => model.answers(process, server))) throw new Error("connection error: nobody answers");
  return model.viewFor(process);
}
