import { toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type App, AppSchema } from "@fanfare/proto/config/v1";
import { AppSource, type OperatorService } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import type { SettingsStore } from "../../broker/settings-store.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { SettingsSync } from "../../hub/settings-sync.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import { pageOf } from "../page.ts";
import { type OperatorNode, olderNode, operatorKey } from "./operator-context.ts";

/** A node that has not said that it goes by a change. */
interface Unconfirmed {
  readonly nodeId: string;
  readonly reason: string;
}

/** How long the other nodes may take to say that they go by a change, in milliseconds. */
const confirmMs = 2_000;
/** How often a change is tried that others overtake. */
const maxTries = 16;

/** Apps at run time. In a cluster they are stored, and told to every node; a node that is alone keeps them in memory. */
export function appCalls(node: OperatorNode): ServiceImpl<typeof OperatorService> {
  const { appTable, log } = node;
  const changes =
    node.cluster && node.settings ? new StoredChanges(node.cluster, node.settings, node.config.nodeId) : undefined;

  function checkDeletion(id: string): void {
    if (!appTable.isConfigured(id) || appTable.putBefore(id) !== undefined) return;
    const message = `the app "${id}" is in the configuration file; take it out there and restart, node by node`;
    throw new FanfareError(ErrorCode.FAILED_PRECONDITION, message, { field: "id" });
  }

  return {
    listApps(request) {
      const { items, nextPageToken } = pageOf("apps", appTable.entries(), ({ shown }) => shown.id, request);
      const apps = items.map(({ shown, isConfigured, problem }) => ({
        app: shown,
        source: isConfigured ? AppSource.CONFIGURATION : AppSource.RUN_TIME,
        problem,
      }));
      return { apps, nextPageToken };
    },

    async putApp({ app }, context) {
      const { id } = app as App; // required, and checked
      const definition = toBinary(AppSchema, app as App);
      let created = false;
      const check = (): void => {
        appTable.check(app as App, definition.length);
        created = appTable.putBefore(id) === undefined;
      };
      if (changes === undefined) {
        check();
        appTable.apply(withApp(appTable.put(), id, definition));
        log.info("an operator has put an app", { app: id, key: keyOf(context) });
        return { created };
      }
      changes.requireNewNodes();
      const unconfirmedNodes = await changes.make(id, check, (store, basedOn) => store.putApp(id, definition, basedOn));
      const unconfirmed = unconfirmedNodes.length;
      log.info("an operator has put an app", { app: id, key: keyOf(context), unconfirmed });
      return { created, unconfirmedNodes };
    },

    async deleteApp({ id }, context) {
      let changed = false;
      const check = (): void => {
        checkDeletion(id);
        changed = appTable.putBefore(id) !== undefined;
      };
      if (changes === undefined) {
        check();
        appTable.apply(withApp(appTable.put(), id, undefined));
        log.info("an operator has deleted an app", { app: id, key: keyOf(context) });
        return { changed };
      }
      // What was set in an app that the configuration has, too, is still of use.
      const withNamespaces = !appTable.isConfigured(id);
      const unconfirmedNodes = await changes.make(id, check, (store, basedOn) =>
        store.deleteApp(id, withNamespaces, basedOn),
      );
      const unconfirmed = unconfirmedNodes.length;
      log.info("an operator has deleted an app", { app: id, key: keyOf(context), unconfirmed });
      return { changed, unconfirmedNodes };
    },
  };
}

/** What names the caller's key. */
function keyOf({ values }: HandlerContext): string | undefined {
  const caller = values.get(operatorKey);
  return caller !== undefined && "operator" in caller ? caller.operator : undefined;
}

function withApp(
  put: ReadonlyMap<string, Uint8Array>,
  id: string,
  definition: Uint8Array | undefined,
): ReadonlyMap<string, Uint8Array> {
  const all = new Map(put);
  if (definition === undefined) all.delete(id);
  else all.set(id, definition);
  return all;
}

/** Changes of apps in a cluster: checked against the newest settings, stored, and told to all nodes. */
class StoredChanges {
  readonly #cluster: Cluster;
  readonly #settings: SettingsSync;
  readonly #nodeId: string;

  constructor(cluster: Cluster, settings: SettingsSync, nodeId: string) {
    this.#cluster = cluster;
    this.#settings = settings;
    this.#nodeId = nodeId;
  }

  /** @throws FanfareError FAILED_PRECONDITION while there is a node that would not serve the app: it would send its players away for good */
  requireNewNodes(): void {
    const older = olderNode(this.#cluster);
    if (older === undefined) return;
    const message = `the node "${older.nodeId}" is of release ${older.version}, which knows no apps at run time; upgrade it first`;
    throw new FanfareError(ErrorCode.FAILED_PRECONDITION, message);
  }

  /**
   * @param check whether the change may be made now. @throws FanfareError
   * @returns nodes that have not confirmed it
   * @throws FanfareError what `check` throws; UNAVAILABLE: it may have been stored, and can be made again, also because this node is not in its cluster
   *   and does not know who has to confirm it
   */
  async make(
    appId: string,
    check: () => void,
    store: (store: SettingsStore, basedOn: number) => Promise<number | undefined>,
  ): Promise<Unconfirmed[]> {
    this.#cluster.requireMember();
    for (let tries = 0; tries < maxTries; tries++) {
      const basedOn = await this.#settings.refresh();
      check();
      const version = await store(this.#cluster.broker.settings, basedOn);
      if (version !== undefined) return await this.#tell(appId, version);
    }
    throw new FanfareError(ErrorCode.UNAVAILABLE, "others change settings all the time; try again");
  }

  async #tell(appId: string, version: number): Promise<Unconfirmed[]> {
    const peers = [...this.#cluster.nodes.peers.values()];
    const question = { case: "settings" as const, value: { version: BigInt(version), appId } };
    const answers = peers.map((peer) => this.#cluster.ask(peer.incarnation, question, { deadlineMs: confirmMs }));
    const settled = await Promise.allSettled([this.#readHere(version), ...answers]);
    this.#cluster.requireMember();
    const nodeIds = [this.#nodeId, ...peers.map(({ nodeId }) => nodeId)];
    return settled.flatMap((answer, i) => {
      if (answer.status === "fulfilled") return [];
      return [{ nodeId: nodeIds[i] ?? "", reason: FanfareError.from(answer.reason).message }];
    });
  }

  async #readHere(version: number): Promise<void> {
    await this.#settings.atLeast(version);
    if (this.#settings.version >= version) return;
    throw new FanfareError(ErrorCode.UNAVAILABLE, "this node cannot read the settings now; it will");
  }
}
