import type { DurableStores } from "../../../log/durable-stores.ts";
import type { VirtualClock } from "../../../testing/virtual-clock.ts";

/** Stores outside of the process, which take time that no virtual clock knows. */
export interface OuterStores {
  readonly stores: DurableStores;
  /** Of the stores and the node. */
  readonly clock: VirtualClock;
}

/** Runs what is deferred as long as something outside of the process is awaited. @returns what ends it */
export function turnOn(clock: VirtualClock): () => void {
  let isOn = true;
  const turn = () => {
    clock.turn();
    if (isOn) setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    isOn = false;
  };
}
