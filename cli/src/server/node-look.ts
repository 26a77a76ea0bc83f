import { setTimeout as sleep } from "node:timers/promises";
import type { Node } from "@fanfare/proto/control/v1";
import { FanfareError } from "@fanfare/sdk-node";
import { CliError } from "../cli-error.ts";
import type { Control } from "./control.ts";
import { isAnswered, outOfReach } from "./to-cli-error.ts";

/** What a node still serves. */
export interface NodeLeft {
  readonly sessions: number;
  readonly connections: number;
}

/** How a node is looked at; in milliseconds. */
export interface LookTimes {
  /** Between two looks. Default: 250. */
  readonly everyMs?: number;
  /** How long nobody may answer before it counts as unknown what has become of the node. Default: 10,000. */
  readonly patienceMs?: number;
}

/** How long one look may take, in milliseconds. */
const timeoutMs = 5_000;
/** With which servers say which node has answered. */
const incarnationHeader = "fanfare-incarnation";
/** How often in a row nobody answers where a node was that is gone: a connection that was cut as it ended tells that less than the next one, which is refused. */
const silences = 2;

/** Looks at the nodes from where the control API is reached, and keeps in mind which of them that is: anything can stand in between and choose. */
export class NodeLook {
  readonly #control: Pick<Control, "url" | "client" | "failure">;
  readonly #times: Required<LookTimes>;
  /** Runs of nodes that have answered; empty where servers do not say who they are. */
  readonly #answered = new Set<string>();
  #nodes: readonly Node[] = [];

  constructor(control: Pick<Control, "url" | "client" | "failure">, times: LookTimes = {}) {
    this.#control = control;
    this.#times = { everyMs: 250, patienceMs: 10_000, ...times };
  }

  /** The nodes of the cluster. @throws CliError */
  async list(): Promise<readonly Node[]> {
    try {
      return await this.#look();
    } catch (error) {
      throw this.#control.failure(error);
    }
  }

  /**
   * What a node still serves, again and again until it is gone: the others do not know it any more, or it was the one that was asked, and answers no more. Another
   * run of it under the same name is not waited for.
   * @throws CliError if who answers, or nobody, leaves it open what has become of it
   */
  async *untilGone(nodeId: string): AsyncGenerator<NodeLeft, void, undefined> {
    const { everyMs, patienceMs } = this.#times;
    let run = this.#runOf(nodeId);
    let unansweredMs: number | undefined;
    let silent = 0;
    while (true) {
      try {
        const nodes = await this.#look();
        unansweredMs = undefined;
        silent = 0;
        run ??= this.#runOf(nodeId);
        const node = nodes.find(({ incarnation }) => incarnation === run);
        if (node === undefined) return;
        yield { sessions: node.sessions, connections: node.connections };
      } catch (error) {
        if (!outOfReach.has(FanfareError.from(error).code)) throw this.#control.failure(error);
        silent = isAnswered(error) ? 0 : silent + 1;
        if (silent >= silences && this.#isAsked(run)) return;
        const nowMs = performance.now();
        unansweredMs ??= nowMs;
        if (nowMs - unansweredMs >= patienceMs) throw this.#unknown(nodeId, error);
      }
      await sleep(everyMs);
    }
  }

  async #look(): Promise<readonly Node[]> {
    const onHeader = (headers: Headers): void => {
      const answered = headers.get(incarnationHeader);
      if (answered !== null) this.#answered.add(answered);
    };
    const { nodes } = await this.#control.client.listNodes({}, { onHeader, timeoutMs });
    this.#nodes = nodes;
    return nodes;
  }

  #runOf(nodeId: string): bigint | undefined {
    return this.#nodes.find((node) => node.nodeId === nodeId)?.incarnation;
  }

  /** Nobody else has ever answered there. */
  #isAsked(run: bigint | undefined): boolean {
    if (run === undefined) return false;
    if (this.#answered.size > 0) return [...this.#answered].every((answered) => answered === String(run));
    return this.#nodes.length === 1 && this.#nodes[0]?.incarnation === run;
  }

  #unknown(nodeId: string, error: unknown): CliError {
    const { message } = this.#control.failure(error);
    const remedy = "look at the nodes from another one: fanfare nodes --url <its address>";
    return new CliError("unreachable", `nobody can tell whether ${nodeId} is gone: ${message}`, remedy, {
      cause: error,
    });
  }
}
