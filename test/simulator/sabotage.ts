import type { NodeOptions } from "../../server/src/node.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { Cluster, NodeLinks } from "../../server/src/router/cluster/cluster.ts";
import { Links } from "../../server/src/router/links/links.ts";
import type { Random } from "../../server/src/testing/random.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Tampering } from "../../server/src/testing/valkey-model/valkey-model-options.ts";

/**
 * Something that goes wrong behind the backs of the nodes, which the checks have to notice: it shows that they can.
 *
 * - `forget-routes`: Valkey says that it has written a route, and has not.
 * - `forget-entries`: Valkey says that it has stored a message, and throws it away.
 * - `lie-about-replicas`: `WAIT` confirms what no replica has.
 * - `lose-records`: a link says that another node has a live message, and has not sent it.
 * - `swap-messages`: the network gives a client two of the node's messages in the wrong order.
 */
export type Sabotage = (typeof sabotages)[number];

/** All of them. */
export const sabotages = [
  "forget-routes",
  "forget-entries",
  "lie-about-replicas",
  "lose-records",
  "swap-messages",
] as const;

/** How often each strikes. */
const share = 0.1;

/** What it does to Valkey. */
export function tamperingOf(sabotage: Sabotage | undefined, random: Random): Tampering {
  if (sabotage === "lie-about-replicas") return { waitLies: true };
  if (sabotage !== "forget-routes" && sabotage !== "forget-entries") return {};
  return {
    answer(command, carryOut) {
      const [name, called = ""] = command;
      if (name !== "FCALL" || !random.chance(share)) return undefined;
      if (sabotage === "forget-routes" && called.endsWith("_route_add")) {
        const marked = carryOut(["FCALL", called.replace("_route_add", "_mark"), "0", command[4] ?? "0"]);
        return `${String(marked)} 0`;
      }
      if (sabotage === "forget-entries" && called.endsWith("_append")) {
        const reply = carryOut(command);
        const id = String(Array.isArray(reply) ? reply[0] : reply).split(" ")[3] ?? "";
        carryOut(["XDEL", command[3] ?? "", id]);
        return reply;
      }
      return undefined;
    },
  };
}

/** The links of a node, where they are sabotaged. */
export function linksOf(
  sabotage: Sabotage | undefined,
  { clock, random }: SimulatedProcess,
  log: Log,
): Pick<NonNullable<NodeOptions["cluster"]>, "openLinks"> {
  if (sabotage !== "lose-records") return {};
  return {
    openLinks(receiver): NodeLinks {
      const { incarnation, broker } = receiver as Cluster;
      const { lanes } = broker;
      const links = new Links({
        self: incarnation,
        lanes,
        receiver,
        clock,
        log,
        random: () => random.next() / 2 ** 32,
      });
      return {
        listen: () => links.listen(),
        addPeer: (...args) => links.addPeer(...args),
        removePeer: (...args) => links.removePeer(...args),
        heardAtMs: (peer) => links.heardAtMs(peer),
        send(peer, record, settle) {
          if (record.class !== "live" || !random.chance(share)) return links.send(peer, record, settle);
          clock.defer(() => settle?.("delivered"));
        },
        [Symbol.dispose]: () => links[Symbol.dispose](),
      };
    },
  };
}
