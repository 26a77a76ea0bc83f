import { isFunctionMissing } from "../../valkey/reply-errors.ts";
import { lineOf, type Mark, markOf } from "../../valkey/reply-mark.ts";
import { evenTags } from "../../valkey/spread-tags.ts";
import { isAnswer, type Reply } from "../../valkey/valkey-client.ts";
import { type RegisteredNode, type Registry, type RegistryShard, registryForgetMs } from "../registry.ts";
import type { BrokerConnections } from "./broker-connections.ts";
import { hexOf, incarnationOf } from "./broker-keys.ts";

/**
 * Parts of the registry in a cluster, one hash tag each, the same in every release and whatever shards there are. So many that those of one of three
 * equal shards are a third, and not half when slots are spread a little unevenly.
 */
const clusterTags = evenTags(9);

/** One part. */
interface Part {
  readonly tag: string;
  /** Who has answered last. */
  lastMark: Mark | undefined;
  /** The incarnation that was registered there last. */
  registered: bigint | undefined;
}

/**
 * The registry in Valkey: one hash a part, described in `lua/registry.ts`, in a cluster nine of them. Each renewal is one call a part, and one
 * round trip a primary. It is not held by a replica: leases are renewed all the time.
 */
export class ValkeyRegistry implements Registry {
  readonly #connections: BrokerConnections;
  readonly #timeoutMs: number;
  readonly #parts: readonly Part[];

  constructor(connections: BrokerConnections, timeoutMs: number) {
    this.#connections = connections;
    this.#timeoutMs = timeoutMs;
    const tags = connections.cluster ? clusterTags : ["0"];
    this.#parts = tags.map((tag) => ({ tag, lastMark: undefined, registered: undefined }));
  }

  get shardCount(): number {
    return this.#parts.length;
  }

  async renew(incarnation: bigint, record: Uint8Array): Promise<readonly (RegistryShard | undefined)[]> {
    const args = [hexOf(incarnation), record, String(registryForgetMs)];
    const sentAtMs = this.#connections.clock.monotonicMs();
    const replies = await this.#callAll("registry_renew", args);
    return this.#parts.map((part) => {
      const reply = replies.get(part);
      return reply === undefined ? undefined : this.#shardOf(part, incarnation, reply, sentAtMs);
    });
  }

  async remove(incarnation: bigint): Promise<void> {
    await this.#callAll("registry_remove", [hexOf(incarnation)]);
  }

  /** Calls a function for each part. @returns the answers that came in time */
  async #callAll(name: string, args: readonly (string | Uint8Array)[]): Promise<ReadonlyMap<Part, Reply>> {
    const { topology, rest, keys, loader } = this.#connections;
    const replies = new Map<Part, Reply>();
    const ofPrimaries = Map.groupBy(this.#parts, ({ tag }) => topology.primaryOf(tag));
    const call = async (primary: string, parts: readonly Part[]): Promise<void> => {
      const commands = parts.map(({ tag }) => this.#connections.functionCall(name, keys.registry(tag).key, args));
      const { tag } = parts[0] as Part;
      const answers = await rest.pipeline(commands, `{${tag}}`, this.#timeoutMs, primary).catch(() => []);
      for (const [i, part] of parts.entries()) {
        const answer = answers[i];
        if (isFunctionMissing(answer)) void loader.load(rest).catch(() => {});
        if (isAnswer(answer)) replies.set(part, answer);
      }
    };
    await Promise.all([...ofPrimaries].map(([primary, parts]) => call(primary, parts)));
    return replies;
  }

  #shardOf(part: Part, incarnation: bigint, reply: Reply, sentAtMs: number): RegistryShard | undefined {
    const { topology, watch } = this.#connections;
    const mark = markOf(reply);
    if (!topology.isPrimary(mark.node)) {
      watch.answered(mark, sentAtMs); // somebody new, to be looked at
      return undefined;
    }
    const isBelieved = watch.answered(mark, sentAtMs);
    const isAnother = mark.node !== part.lastMark?.node || mark.run !== part.lastMark?.run;
    const hasLostUs = part.registered !== undefined && lineOf(reply)[0] === "new";
    // What a primary loses it loses together with its run, or its place.
    const evicted = hasLostUs && !isAnother && part.registered === incarnation;
    part.lastMark = mark;
    part.registered = incarnation;
    return { nodes: nodesOf(reply), unsettled: isAnother || hasLostUs || !isBelieved, evicted };
  }
}

/** Incarnation, age and record, from index 1 on. */
function nodesOf(reply: Reply): RegisteredNode[] {
  const parts = reply as readonly Reply[];
  const nodes: RegisteredNode[] = [];
  for (let i = 1; i + 2 < parts.length; i += 3) {
    nodes.push({
      incarnation: incarnationOf(String(parts[i])),
      ageMs: Number(String(parts[i + 1])),
      record: parts[i + 2] as Buffer,
    });
  }
  return nodes;
}
