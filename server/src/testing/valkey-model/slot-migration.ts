import type { Simulation } from "../simulation/simulation.ts";
import { slotOfKey } from "./slots.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** A slot on its way to another primary. */
export interface SlotMove {
  readonly simulation: Simulation;
  readonly source: ValkeyServer;
  readonly target: ValkeyServer;
  readonly slot: number;
  /** How long it takes, in milliseconds. */
  readonly forMs: number;
  readonly takesPart: (server: ValkeyServer) => boolean;
}

/** Moves a slot key by key. `moved` is called when all of it is there, and never if one of the two fails on the way. */
export function moveSlot({ simulation, source, target, slot, forMs, takesPart }: SlotMove, moved: () => void): void {
  target.importing.set(slot, source.id);
  source.migrating.set(slot, target.id);
  const isStill = () =>
    takesPart(source) && takesPart(target) && !source.isReplica && !target.isReplica && source.migrating.has(slot);
  const end = (): void => {
    source.migrating.delete(slot);
    target.importing.delete(slot);
  };
  const keys = [...source.database.keys].filter((key) => slotOfKey(key) === slot);
  for (const [i, key] of keys.entries()) {
    simulation.after((forMs * (i + 1)) / (keys.length + 2), () => {
      if (isStill()) source.moveKey(key, target);
    });
  }
  simulation.after(forMs, () => {
    if (!isStill()) return end();
    for (const key of [...source.database.keys]) if (slotOfKey(key) === slot) source.moveKey(key, target);
    end();
    moved();
  });
}
