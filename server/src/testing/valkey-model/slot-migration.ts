import type { Simulation } from "../simulation/simulation.ts";
import { slotOfKey } from "./slots.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** A slot on its way to another shard. */
export interface SlotMove {
  readonly simulation: Simulation;
  /** The primaries of the two shards, as they are by now. */
  readonly source: () => ValkeyServer;
  readonly target: () => ValkeyServer;
  readonly slot: number;
  /** How long it takes, in milliseconds, unless one of them is out of reach meanwhile. */
  readonly forMs: number;
  readonly takesPart: (server: ValkeyServer) => boolean;
}

/** After which it is looked again whether replicas have all, in milliseconds. */
const replicationLookMs = 20;
/** Keys are moved in so many steps. */
const steps = 5;

/**
 * Moves a slot key by key, as an operator does who goes on when a primary was replaced on the way. `moved` is called when all of it is there.
 */
export function moveSlot(move: SlotMove, moved: () => void, step = 1): void {
  const { simulation, slot, forMs, takesPart } = move;
  const [source, target] = [move.source(), move.target()];
  const isReady = takesPart(source) && takesPart(target) && !source.isReplica && !target.isReplica;
  if (isReady && step > 1 && !source.isReplicated) {
    // What its replicas are still to hear of a key would bring it back there.
    simulation.after(replicationLookMs, () => moveSlot(move, moved, step));
    return;
  }
  if (isReady) {
    target.importing.set(slot, source.id);
    source.migrating.set(slot, target.id);
    const keys = [...source.database.keys].filter((key) => slotOfKey(key) === slot);
    const some = step < steps ? Math.ceil(keys.length / (steps - step)) : keys.length;
    if (step > 1) for (const key of keys.slice(0, some)) source.moveKey(key, target);
    if (step >= steps) {
      source.migrating.delete(slot);
      target.importing.delete(slot);
      return moved();
    }
  }
  simulation.after(forMs / steps, () => moveSlot(move, moved, isReady ? step + 1 : step));
}
