import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { lineOf } from "../../valkey/reply-mark.ts";
import type { Reply } from "../../valkey/valkey-client.ts";
import type { AppChannel, RouteStore } from "../route-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";
import { hexOf, incarnationOf } from "./broker-keys.ts";

/** Higher than any sequence of a living incarnation. */
const lastSequence = String(Number.MAX_SAFE_INTEGER);
/** Keys that a sweep looks at in one step, about, and the pause behind it, in milliseconds. */
const sweepPage = 500;
const sweepPauseMs = 10;
/** How often a sweep is begun anew because the topology changed meanwhile. */
const maxSweeps = 3;

/** Routes in Valkey: one hash a channel, described in `lua/routes.ts`. */
export class ValkeyRouteStore implements RouteStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async add(channel: AppChannel, incarnation: bigint, sequence: number): Promise<boolean> {
    return await this.#change("route_add", channel, incarnation, sequence);
  }

  async remove(channel: AppChannel, incarnation: bigint, sequence: number): Promise<void> {
    await this.#change("route_remove", channel, incarnation, sequence);
  }

  async read({ appId, key: channelKey }: AppChannel): Promise<readonly bigint[]> {
    const { keys, routeReads } = this.#connections;
    const { tag, key } = keys.route(appId, channelKey);
    const reply = await routeReads.read(tag, this.#connections.functionCall("read", key, []));
    const parts = reply as readonly Reply[];
    const incarnations: bigint[] = [];
    for (let i = 1; i + 1 < parts.length; i += 2) {
      if (isThere(parts[i + 1])) incarnations.push(incarnationOf(String(parts[i])));
    }
    return incarnations;
  }

  onUnsettled(listener: (isAffected: (channel: AppChannel) => boolean) => void): () => void {
    const { watch, keys } = this.#connections;
    return watch.onUnsettled((isAffected) => listener(({ appId, key }) => isAffected(keys.route(appId, key).tag)));
  }

  async sweep(incarnation: bigint, signal: AbortSignal): Promise<number> {
    const { topology } = this.#connections;
    let removed = 0;
    for (let sweeps = 0; ; sweeps++) {
      let hasMoved = false;
      const unlisten = topology.onMoved(() => {
        hasMoved = true;
      });
      try {
        for (const primary of topology.primaries) removed += await this.#sweepPrimary(primary, incarnation, signal);
      } finally {
        unlisten();
      }
      if (!hasMoved) return removed;
      if (sweeps === maxSweeps)
        throw new FanfareError(ErrorCode.UNAVAILABLE, "slots moved during each sweep of routes");
    }
  }

  async #sweepPrimary(primary: string, incarnation: bigint, signal: AbortSignal): Promise<number> {
    const connections = this.#connections;
    const hex = hexOf(incarnation);
    let removed = 0;
    let cursor = "0";
    do {
      signal.throwIfAborted();
      const pattern = connections.keys.routePattern;
      const scan = ["SCAN", cursor, "MATCH", pattern, "COUNT", String(sweepPage), "TYPE", "hash"];
      const [page] = await connections.ask(primary, [scan]);
      const [next, found] = page as [Reply, readonly Reply[]];
      cursor = String(next);
      const keys = found.map(String);
      const values =
        keys.length === 0
          ? []
          : await connections.ask(
              primary,
              keys.map((key) => ["HGET", key, hex]),
            );
      const held = keys.filter((_, i) => isThere(values[i]));
      await Promise.all(
        held.map((key) => connections.change("route_remove", { tag: tagOf(key), key }, [hex, lastSequence])),
      );
      removed += held.length;
      await new Promise<void>((resolve) => connections.clock.setTimer(sweepPauseMs, resolve));
    } while (cursor !== "0");
    return removed;
  }

  async #change(name: string, { appId, key }: AppChannel, incarnation: bigint, sequence: number): Promise<boolean> {
    const route = this.#connections.keys.route(appId, key);
    return lineOf(await this.#connections.change(name, route, [hexOf(incarnation), String(sequence)]))[2] === "1";
  }
}

/** Whether an incarnation's value says that it is on the route, and was not removed. */
function isThere(value: Reply | undefined): boolean {
  return String(value).endsWith(" 0");
}

function tagOf(key: string): string {
  return key.slice(key.indexOf("{") + 1, key.indexOf("}"));
}
