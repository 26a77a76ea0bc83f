import { Wire } from "../simulation/wire.ts";
import type { Effect } from "./database.ts";
import type { ValkeyServer } from "./valkey-server.ts";

/** A replica that has just joined confirms nothing for so long, in milliseconds. */
const silentMs = 1000;

/** The stream of what a primary changes to one of its replicas, and the replica's confirmations. */
export class ReplicaLink {
  readonly primary: ValkeyServer;
  readonly replica: ValkeyServer;
  /** Up to where the replica has confirmed. */
  acknowledged = 0;
  readonly #down: Wire;
  readonly #up: Wire;
  readonly #beganMs: number;
  #isUp = true;
  /** What cannot get through at the moment; undefined: everything can. */
  #held: (() => void)[] | undefined;

  constructor(primary: ValkeyServer, replica: ValkeyServer, delayMs: number) {
    const { simulation, random } = replica.process;
    this.primary = primary;
    this.replica = replica;
    this.#down = new Wire(simulation, random, delayMs / 4, delayMs);
    this.#up = new Wire(simulation, random, delayMs / 4, delayMs / 4);
    this.#beganMs = simulation.nowMs;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Sends what was changed; `offset` counts all of it up to there. */
  send(effects: readonly Effect[], offset: number): void {
    this.#send(this.#down, this.replica, () => this.replica.applyEffects(effects, offset));
  }

  /** Asks how far the replica has come. */
  ask(): void {
    this.#send(this.#down, this.replica, () => {
      const { offset } = this.replica;
      const { simulation } = this.replica.process;
      const delayMs = Math.max(0, this.#beganMs + silentMs - simulation.nowMs);
      simulation.after(delayMs, () => this.#send(this.#up, this.primary, () => this.primary.confirmed(this, offset)));
    });
  }

  /** Nothing gets through until `resume`. */
  hold(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const send of held ?? []) send();
  }

  /** The connection is gone, with what was on its way. */
  close(): void {
    this.#isUp = false;
  }

  #send(wire: Wire, to: ValkeyServer, arrive: () => void): void {
    const send = () =>
      wire.send(() => {
        if (this.#isUp) to.process.run(() => this.#isUp && arrive(), this);
      });
    if (this.#held === undefined) send();
    else this.#held.push(send);
  }
}
