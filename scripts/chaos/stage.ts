import { startCluster, startStandalone, type ValkeyServers } from "../../server/src/testing/valkey-processes.ts";
import { valkeyPassword } from "./chaos-config.ts";
import { FanfareNode } from "./fanfare-node.ts";

/** A Valkey and the nodes on it. */
export class Stage implements AsyncDisposable {
  readonly valkey: ValkeyServers;
  readonly nodes: readonly FanfareNode[];
  readonly #resources: AsyncDisposableStack;

  private constructor(valkey: ValkeyServers, nodes: readonly FanfareNode[], resources: AsyncDisposableStack) {
    this.valkey = valkey;
    this.nodes = nodes;
    this.#resources = resources;
  }

  /** Starts three nodes on a cluster of three primaries and three replicas, or on one Valkey that writes to its disk. */
  static async open(on: "cluster" | "standalone"): Promise<Stage> {
    await using resources = new AsyncDisposableStack();
    const ids = ["n1", "n2", "n3"];
    const users = ids.flatMap((id) => ["--user", id, "on", `>${valkeyPassword}`, "~*", "&*", "+@all"]);
    const start = () =>
      on === "cluster" ? startCluster(users) : startStandalone(0, [...users, "--appendonly", "yes"]);
    const valkey = resources.use(await start());
    const addresses = valkey.addresses.map(({ host, port }) => `${host}:${port}`);
    const nodes = ids.map((id) => resources.use(new FanfareNode(id, addresses, valkey.isCluster)));
    for (const node of nodes) await node.start();
    return new Stage(valkey, nodes, resources.move());
  }

  /** Where a load balancer sends clients, `ws://host:port`. */
  get urls(): readonly string[] {
    return this.nodes.filter(({ isUp }) => isUp).map(({ url }) => url.replace(/^http/, "ws"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}
