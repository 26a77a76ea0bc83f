import type { ReleasedSession } from "@fanfare/proto/cluster/v1alpha";
import type { Log } from "../observe/log.ts";
import type { Cluster } from "../router/cluster/cluster.ts";

/** How long the former owner of a session is waited for, in milliseconds. */
const releaseMs = 1_500;

/** The nodes that had the sessions of one app before, or have them now: they are asked for what they know, and told what became of it. */
export class OtherOwners {
  readonly #appId: string;
  readonly #cluster: Cluster;
  readonly #log: Log;

  constructor(appId: string, cluster: Cluster, log: Log) {
    this.#appId = appId;
    this.#cluster = cluster;
    this.#log = log;
  }

  /** Has a session given up that has been claimed here. Undefined: the owner is gone, or does not answer in time. */
  async release(
    owner: bigint,
    sessionId: string,
    attempt: number,
    handOver: boolean,
  ): Promise<ReleasedSession | undefined> {
    if (this.#cluster.nodes.isDead(owner)) return undefined;
    const question = { case: "releaseSession" as const, value: { sessionId, attempt, handOver } };
    try {
      const answer = await this.#cluster.ask(owner, question, { appId: this.#appId, deadlineMs: releaseMs });
      return answer.case === "releasedSession" ? answer.value : undefined;
    } catch (reason) {
      const details = { owner: owner.toString(16), reason: String(reason) };
      this.#log.debug("a session's former owner did not release it", details);
      return undefined;
    }
  }

  /** The old connection of a hand-over need not be served any more. @param closeCode 0: the new one is served */
  finish(owner: bigint, sessionId: string, closeCode: number): void {
    if (this.#cluster.nodes.isDead(owner)) return;
    const question = { case: "finishHandOver" as const, value: { sessionId, closeCode } };
    this.#cluster.ask(owner, question, { appId: this.#appId }).catch((reason: unknown) => {
      // Its own time closes the old connection then.
      this.#log.info("a hand-over was not finished by the former owner", { reason: String(reason) });
    });
  }

  /** A session that has gone there was ended by its client, who has told this node. */
  end(owner: bigint, sessionId: string): void {
    if (this.#cluster.nodes.isDead(owner)) return;
    const question = { case: "endSession" as const, value: { sessionId } };
    this.#cluster.ask(owner, question, { appId: this.#appId }).catch((reason: unknown) => {
      // Without its client it lasts for the resume window there.
      this.#log.info("a session was not ended by the node where it went on", { reason: String(reason) });
    });
  }
}
