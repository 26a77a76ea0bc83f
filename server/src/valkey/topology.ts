import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Log } from "../observe/log.ts";
import { type ClusterView, parseClusterNodes } from "./cluster-view.ts";
import { SlotMap, type SlotMove, type Slots } from "./slot-map.ts";
import type { SupervisedClient } from "./supervised-client.ts";

/** What a {@link Topology} is made of. */
export interface TopologyOptions {
  readonly client: SupervisedClient;
  readonly log: Log;
  readonly cluster: boolean;
}

/** Primaries that are asked at a time. More than one, because one may have missed a failover. */
const maxAsked = 4;

/**
 * Which primary serves what, as several of them say. Outside of a cluster there is one primary, without a name, and never another.
 */
export class Topology implements Slots {
  readonly #options: TopologyOptions;
  readonly #map = new SlotMap();
  readonly #listeners = new Set<(moves: readonly SlotMove[]) => void>();
  #looking: Promise<readonly ClusterView[]> | undefined;
  #turn = 0;
  /** Times that slots went from one primary to another. */
  changes = 0;

  constructor(options: TopologyOptions) {
    this.#options = options;
  }

  /** All primaries that serve something. */
  get primaries(): readonly string[] {
    return this.#options.cluster ? this.#map.primaries : [""];
  }

  primaryOf(tag: string): string {
    return this.#map.primaryOf(tag);
  }

  isPrimary(id: string): boolean {
    return this.#options.cluster ? this.#map.isPrimary(id) : id === "";
  }

  tagOf(id: string): string | undefined {
    return this.#options.cluster ? this.#map.tagOf(id) : "0";
  }

  epochOf(id: string): number {
    return this.#map.epochOf(id);
  }

  /** Tells of slots that have another primary. Returns how to stop listening. */
  onMoved(listener: (moves: readonly SlotMove[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async refresh(): Promise<void> {
    await this.look();
  }

  /**
   * Asks several primaries, in turns if there are many. Joins a look that is under way.
   * @returns what those saw who answered in time
   * @throws FanfareError UNAVAILABLE if none did
   */
  look(): Promise<readonly ClusterView[]> {
    if (!this.#options.cluster) return Promise.resolve([]);
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** The same, and begun after this call. */
  async lookAfresh(): Promise<readonly ClusterView[]> {
    await this.#looking?.catch(() => {});
    return await this.look();
  }

  async #look(): Promise<readonly ClusterView[]> {
    const ids = this.#map.primaries;
    const asked = ids.length === 0 ? [undefined] : this.#some(ids);
    // Nobody waits for one that has not answered the last time, unless there is no other; if it answers all the same, it is heard.
    const isFailing = (id: string | undefined) => this.#options.client.isFailing(id ?? "");
    const prompt = asked.filter((id) => !isFailing(id));
    const late = asked.filter(isFailing);
    const questions = [...prompt, ...late].map((id) => this.#ask(id));
    for (const question of questions) question.catch(() => {});
    const answers = await Promise.allSettled(prompt.length > 0 ? questions.slice(0, prompt.length) : questions);
    const views = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (views.length > 0) return views;
    const cause = answers.find((answer) => answer.status === "rejected")?.reason;
    throw new FanfareError(ErrorCode.UNAVAILABLE, "no node of Valkey tells who serves what", { cause });
  }

  #some(ids: readonly string[]): readonly string[] {
    if (ids.length <= maxAsked) return ids;
    return Array.from({ length: maxAsked }, () => ids[this.#turn++ % ids.length] as string);
  }

  /** What one primary sees; taken in at once, whatever becomes of the others. */
  async #ask(id: string | undefined): Promise<ClusterView> {
    const tag = id && this.#map.tagOf(id);
    const destination = tag === undefined ? "any" : { slotOf: `{${tag}}` };
    const view = parseClusterNodes(await this.#options.client.send(["CLUSTER", "NODES"], destination, id));
    const moves = this.#map.learn(view);
    for (const { from, to, slots } of moves) {
      this.changes++;
      this.#options.log.info("slots of valkey have another primary", { from, to, slots: slots.size });
    }
    if (moves.length > 0) for (const listener of this.#listeners) listener(moves);
    return view;
  }
}
