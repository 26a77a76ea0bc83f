import type { NodeLinks } from "../../server/src/router/cluster/cluster.ts";
import type { LinkReceiver } from "../../server/src/router/links/link-port.ts";
import type { Random } from "../../server/src/testing/random.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Tampering } from "../../server/src/testing/valkey-model/valkey-model-options.ts";
import type { SimulatedLinks } from "./node-links.ts";

/**
 * Something that goes wrong behind the backs of the nodes, which the checks have to notice: it shows that they can.
 *
 * - `forget-routes`: Valkey says that it has written a route, and has not.
 * - `keep-routes`: Valkey says that it has removed a route, and has not.
 * - `forget-entries`: Valkey says that it has stored a message, and throws it away.
 * - `lie-about-replicas`: `WAIT` confirms what no replica has.
 * - `lose-records`: a link says that another node has a live message, and has not sent it.
 * - `lose-words`: a link says that another node has what this one told it of presence, or asked it, and has not sent it.
 * - `forget-players`: Valkey says that it has stored a membership, a kick or a ban, and throws it away with all that it has of the player.
 * - `forget-cursors`: Valkey says that it has stored a cursor, and throws it away.
 * - `forget-keys`: Valkey stores what a backend publishes, and not its idempotency key.
 * - `forget-settings`: Valkey says that it has stored a namespace's rules, and throws all settings away.
 * - `forget-clears`: Valkey says that it has cleared a log, and has not.
 * - `exceed-bounds`: links keep to no bounds but those by default.
 * - `swap-messages`: the network gives a client two of the node's messages in the wrong order.
 */
export type Sabotage = (typeof sabotages)[number];

/** All of them. */
export const sabotages = [
  "forget-routes",
  "keep-routes",
  "forget-entries",
  "lie-about-replicas",
  "lose-records",
  "lose-words",
  "forget-players",
  "forget-cursors",
  "forget-keys",
  "forget-settings",
  "forget-clears",
  "exceed-bounds",
  "swap-messages",
] as const;

/** How often each strikes, and what is seldom done in a run. */
const share = 0.1;
const shareOfSeldom = 0.7;
const seldom: ReadonlySet<Sabotage> = new Set<Sabotage>([
  "forget-players",
  "forget-cursors",
  "forget-keys",
  "forget-settings",
  "forget-clears",
]);

/** Functions that are carried out and then undone, by the sabotage that does it. */
const undone: Partial<Record<Sabotage, RegExp>> = {
  "forget-players": /_(member_change|standing_kick|standing_ban)$/,
  "forget-cursors": /_commit_cursor$/,
  "forget-settings": /_settings_set$/,
};
/** Where an append has its key. */
const keyArgument = 9;

/** What it does to Valkey. */
export function tamperingOf(sabotage: Sabotage | undefined, random: Random): Tampering {
  if (sabotage === "lie-about-replicas") return { waitLies: true };
  if (sabotage === "keep-routes") return { answer: keepRoutes };
  if (sabotage === undefined || !sabotage.startsWith("forget-")) return {};
  return {
    answer(command, carryOut) {
      const [name, called = ""] = command;
      if (name !== "FCALL" || !random.chance(seldom.has(sabotage) ? shareOfSeldom : share)) return undefined;
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
      if (sabotage === "forget-keys" && called.endsWith("_append")) return carryOut(command.with(keyArgument, ""));
      if (sabotage === "forget-clears" && called.endsWith("_clear")) return carryOut([...proof(command)]);
      if (undone[sabotage]?.test(called)) {
        const reply = carryOut(command);
        carryOut(["DEL", command[3] ?? ""]);
        return reply;
      }
      return undefined;
    },
  };
}

/** In the place of a clear: writes, and answers where the log is. */
function proof([name = "", called = "", ...rest]: readonly string[]): string[] {
  return [name, called.replace("_clear", "_prove"), ...rest.slice(0, 4), "0", "0", "0"];
}

/** A removal is answered, and not carried out. */
const keepRoutes: Tampering["answer"] = ([name, called = "", , , isCluster = "0"], carryOut) => {
  if (name !== "FCALL" || !called.endsWith("_route_remove")) return undefined;
  return `${String(carryOut(["FCALL", called.replace("_route_remove", "_mark"), "0", isCluster]))} 1`;
};

/** How a node's links are opened, sabotaged or not. */
export function openLinksOf(
  sabotage: Sabotage | undefined,
  simulated: SimulatedLinks,
  { clock, random }: SimulatedProcess,
): (receiver: LinkReceiver) => NodeLinks {
  const lost = sabotage === "lose-records" ? "live" : sabotage === "lose-words" ? "control" : undefined;
  if (lost === undefined) return (receiver) => simulated.open(receiver, sabotage !== "exceed-bounds");
  return (receiver) => {
    const links = simulated.open(receiver);
    return {
      listen: () => links.listen(),
      addPeer: (...args) => links.addPeer(...args),
      removePeer: (...args) => links.removePeer(...args),
      heardAtMs: (peer) => links.heardAtMs(peer),
      send(peer, record, settle) {
        if (record.class !== lost || !random.chance(share)) return links.send(peer, record, settle);
        clock.defer(() => settle?.("delivered"));
      },
      sendToMany(peers, record, settles = []) {
        for (const [index, peer] of peers.entries()) this.send(peer, record, settles[index]);
      },
      [Symbol.dispose]: () => links[Symbol.dispose](),
    };
  };
}
