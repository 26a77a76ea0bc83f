import { create } from "@bufbuild/protobuf";
import { type Publication, PublicationSchema } from "@fanfare/proto/control/v1";
import type { PublishResult } from "@fanfare/proto/v1";
import { type LogPosition, Outcome } from "@fanfare/sdk-core";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import { backendContext } from "./game-backend.ts";
import type { Ledger, Published, Trace } from "./ledger.ts";
import type { NodePlace } from "./node-place.ts";
import { type BackendPublish, isDurable } from "./plan.ts";
import type { SimulatedNode } from "./simulated-node.ts";

/** What the publishes of a run's backend share with the rest of it. */
export interface BackendPublishesOptions {
  readonly simulation: Simulation;
  readonly ledger: Ledger;
  readonly trace: Trace;
  readonly places: readonly NodePlace[];
}

/** A publish under an idempotency key, to be repeated. */
interface Attempted {
  readonly entry: Published;
  readonly publication: Publication;
}

/** What one attempt came to. */
interface Answer {
  readonly outcome: Outcome;
  readonly error: string;
  readonly position?: LogPosition;
}

/** How long the backend waits for an answer, in milliseconds. */
const timeoutMs = 12_000;
/** Between two attempts, in milliseconds. */
const pauseMs = [20, 1_500] as const;

/**
 * What the backend of the game publishes, each message under an idempotency key. It tries again until it knows: at whatever node, and of a live message of
 * which it is unknown who has it once more at the node that had the first, which is to send nothing then.
 */
export class BackendPublishes {
  readonly #options: BackendPublishesOptions;
  #count = 0;
  #open = 0;

  constructor(options: BackendPublishesOptions) {
    this.#options = options;
  }

  /** Nothing is tried any more. */
  get areAnswered(): boolean {
    return this.#open === 0;
  }

  carryOut({ node, to, size }: BackendPublish): void {
    const name = `backend${++this.#count}`;
    const of = { by: name, session: 0, channel: to, isVolatile: false, excludeSelf: false, conflate: undefined };
    const entry = this.#options.ledger.began({ id: `${name}.1`, ...of });
    const publication = create(PublicationSchema, {
      channels: [{ kind: kindOf(to) }],
      payload: { type: "words", data: { case: "text", value: entry.id.padEnd(size, " ") } },
      idempotencyKey: name,
    });
    this.#open++;
    void this.#publish({ entry, publication }, node);
  }

  async #publish(attempted: Attempted, place: number): Promise<void> {
    const { simulation, ledger } = this.#options;
    const { entry } = attempted;
    const [min, max] = pauseMs;
    const pauses = simulation.random(`${entry.id} pauses`);
    let answer: Answer | undefined;
    for (let at = place; answer === undefined; at++) {
      answer = await this.#attempt(attempted, at);
      if (answer === undefined) await simulation.sleep(pauses.between(min, max));
    }
    this.#open--;
    ledger.answered(entry, answer);
  }

  /** Asks a node, if one is there. @returns undefined: it is to be tried again */
  async #attempt(attempted: Attempted, place: number): Promise<Answer | undefined> {
    const { places } = this.#options;
    const node = places[place % places.length]?.node;
    if (node === undefined || node.isOver || node.isDraining) return undefined;
    const { channel } = attempted.entry;
    const answer = await this.#ask(node, attempted);
    const { outcome, error } = answer;
    const { trace } = this.#options;
    trace?.(`${attempted.entry.id} at ${node.name}: ${Outcome[outcome]} (${error})`);
    if (outcome !== Outcome.FAILED && outcome !== Outcome.UNKNOWN) return answer;
    if (outcome === Outcome.FAILED) return undefined;
    // A short log has forgotten it.
    if (error.endsWith("identity forgotten")) return answer;
    return isDurable(channel) ? undefined : await this.#askAgain(node, attempted, answer);
  }

  /** The repeat of a live publish at the node that may have sent it. */
  async #askAgain(node: SimulatedNode, attempted: Attempted, first: Answer): Promise<Answer> {
    await this.#options.simulation.sleep(pauseMs[0]);
    if (node.isOver) return first;
    const again = await this.#ask(node, attempted);
    return again.outcome === Outcome.FAILED ? first : again;
  }

  /** One request, that may be lost with the node. */
  #ask(node: SimulatedNode, attempted: Attempted): Promise<Answer> {
    const { simulation } = this.#options;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const late = simulation.after(timeoutMs, () => resolve({ outcome: Outcome.UNKNOWN, error: "no answer in time" }));
    node.process.run(() => {
      node.publish(attempted.publication, backendContext).then(
        (result) => resolve(answerOf(result)),
        (reason: unknown) => resolve({ outcome: Outcome.UNKNOWN, error: String(reason) }),
      );
    });
    void promise.then(() => late.cancel());
    return promise;
  }
}

function answerOf({ outcome, position, error }: PublishResult): Answer {
  const place = position && { epoch: Number(position.epoch), offset: Number(position.offset), tag: position.tag };
  return { outcome: outcome as number as Outcome, error: error?.message ?? "", ...(place && { position: place }) };
}

function kindOf(to: string) {
  if (to === "broadcast") return { case: "broadcast", value: true } as const;
  if (to.startsWith("player/")) return { case: "player", value: to.slice("player/".length) } as const;
  return { case: "group", value: to } as const;
}
