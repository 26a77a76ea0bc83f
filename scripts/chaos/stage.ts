import { startCluster, startStandalone, type ValkeyServers } from "../../server/src/testing/valkey-processes.ts";
import { valkeyPassword } from "./chaos-config.ts";
import { CuttableWay } from "./cuttable-way.ts";
import { FanfareNode } from "./fanfare-node.ts";
import type { Ground } from "./scenario.ts";

/** A Valkey and the nodes on it. */
export class Stage implements AsyncDisposable {
  readonly valkey: ValkeyServers;
  readonly nodes: readonly FanfareNode[];
  /** The first node's way to Valkey, on a ground where that can be cut. */
  readonly way: CuttableWay | undefined;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    { valkey, nodes, way }: Pick<Stage, "valkey" | "nodes" | "way">,
    resources: AsyncDisposableStack,
  ) {
    this.valkey = valkey;
    this.nodes = nodes;
    this.way = way;
    this.#resources = resources;
  }

  /** Starts three nodes on a cluster of three primaries and three replicas, or on one Valkey that writes to its disk. */
  static async open(on: Ground): Promise<Stage> {
    await using resources = new AsyncDisposableStack();
    const ids = ["n1", "n2", "n3"];
    const users = ids.flatMap((id) => ["--user", id, "on", `>${valkeyPassword}`, "~*", "&*", "+@all"]);
    const valkey = resources.use(await startValkey(on, users));
    const ports = valkey.processes.map(({ port }) => port);
    const way = on === "cuttable" ? resources.use(await CuttableWay.open(ports)) : undefined;
    const nodes = ids.map((id, i) => {
      const host = i === 0 && way !== undefined ? way.host : "127.0.0.1";
      const addresses = ports.map((port) => `${host}:${port}`);
      return resources.use(new FanfareNode(id, addresses, valkey.isCluster));
    });
    for (const node of nodes) await node.start();
    return new Stage({ valkey, nodes, way }, resources.move());
  }

  /** Where a load balancer sends clients, `ws://host:port`. */
  get urls(): readonly string[] {
    return this.nodes.filter(({ isUp }) => isUp).map(({ url }) => url.replace(/^http/, "ws"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

function startValkey(on: Ground, users: readonly string[]): Promise<ValkeyServers> {
  if (on === "standalone") return startStandalone(0, [...users, "--appendonly", "yes"]);
  // It names ports alone, and leaves it to whoever asks to find all of them at the address that was asked: so a node's way stays its way.
  return startCluster(on === "cuttable" ? [...users, "--cluster-preferred-endpoint-type", "unknown-endpoint"] : users);
}
