import { NodeState } from "@fanfare/proto/cluster/v1alpha";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Question } from "./asks.ts";
import type { NodeTable } from "./node-table.ts";

/** What {@link Greetings} are made of. */
export interface GreetingsOptions {
  readonly nodes: Pick<NodeTable, "peers" | "state" | "record" | "greeted">;
  readonly clock: Clock;
  readonly log: Log;
  /** Asks another node. */
  readonly ask: (peer: bigint, question: Question, options: { deadlineMs: number }) => Promise<unknown>;
  /** Whether anybody listens at the inbox of an incarnation; true also if that cannot be found out. */
  readonly isListening: (incarnation: bigint) => Promise<boolean>;
  /** Until now another node and this one have served clients without knowing each other: what went to everybody there is missing here. */
  readonly onMetLate: () => void;
}

/** How long a new node waits for the others to know it, in milliseconds; who does not answer by then is dead or on the way to be. */
const greetingMs = 10_000;
/** How long an answer is waited for, in milliseconds. */
const answerMs = 2_000;

/**
 * Makes this node known to others: to those it finds when it joins, before it serves clients, so that what is sent to everybody reaches them.
 *
 * Whoever joins while the registry has lost what it had finds nobody. Nodes that come to know each other when both serve clients have missed what each has
 * sent to everybody, so the one that finds the other greets it, and both say so to their clients: the greeted one at once, the other when it is answered. Both
 * are known by then to whoever sends what comes behind, so nothing newer comes before.
 */
export class Greetings {
  readonly #options: GreetingsOptions;
  /** Found late, and not answered yet: whether it is being asked. */
  readonly #late = new Map<bigint, boolean>();

  constructor(options: GreetingsOptions) {
    this.#options = options;
  }

  /** Greets all that are known. Those who come meanwhile greet this node themselves, because they found it in the registry. */
  async join(): Promise<void> {
    const { nodes, clock, isListening } = this.#options;
    const untilMs = clock.monotonicMs() + greetingMs;
    const greet = async (peer: bigint): Promise<void> => {
      while (nodes.peers.has(peer) && clock.monotonicMs() < untilMs) {
        // Who died a moment ago is still in the registry, and who comes back after an outage may stop to listen meanwhile.
        if (!(await isListening(peer)) || (await this.#greet(peer))) return;
      }
    };
    await Promise.all([...nodes.peers.keys()].map(greet));
  }

  /** Another node has greeted this one. */
  received(peer: bigint, record: Uint8Array): void {
    // It greets others before it serves clients, if it finds them then.
    if (this.#options.nodes.greeted(record) === NodeState.JOINING) return;
    this.#late.delete(peer);
    this.#options.onMetLate();
  }

  /** The registry names a node that was not known. */
  found(peer: bigint): void {
    const { nodes } = this.#options;
    if (nodes.state === NodeState.JOINING || nodes.peers.get(peer)?.state === NodeState.JOINING) return;
    this.#late.set(peer, false);
    void this.#greetLate(peer);
  }

  /** The registry still names it: who has not answered is greeted again. */
  foundAgain(peer: bigint): void {
    if (this.#late.get(peer) === false) void this.#greetLate(peer);
  }

  /** A node is gone. */
  forget(peer: bigint): void {
    this.#late.delete(peer);
  }

  async #greetLate(peer: bigint): Promise<void> {
    this.#late.set(peer, true);
    const isAnswered = await this.#greet(peer);
    if (!this.#late.has(peer)) return;
    if (!isAnswered) return void this.#late.set(peer, false);
    this.#late.delete(peer);
    this.#options.onMetLate();
  }

  /** @returns whether it has answered */
  async #greet(peer: bigint): Promise<boolean> {
    const { nodes, log, ask } = this.#options;
    const greeting = { case: "greeting" as const, value: { node: nodes.record() } };
    try {
      await ask(peer, greeting, { deadlineMs: answerMs });
      return true;
    } catch (reason) {
      log.debug("a greeting was not answered", { reason: String(reason) });
      return false;
    }
  }
}
