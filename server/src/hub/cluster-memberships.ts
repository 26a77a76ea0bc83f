import type { MembershipChange } from "@fanfare/proto/cluster/v1alpha";
import type { MembershipStore, PlayerMemberships } from "../broker/membership-store.ts";
import type { AppHub } from "./app-hub.ts";

/** What is told of a membership. */
export type MembershipFacts = Pick<MembershipChange, "playerId" | "group" | "member" | "version" | "mayLack">;

/**
 * The memberships of the players that are on this node, as the store has them. Each change raises the version of its player; a change that is told is
 * applied if it is the next, and if something is missing before it the store is asked.
 */
export class ClusterMemberships {
  readonly #hub: AppHub;
  readonly #store: MembershipStore;
  readonly #versions = new Map<string, number>();

  constructor(hub: AppHub, store: MembershipStore) {
    this.#hub = hub;
    this.#store = store;
  }

  /** A player comes here. `changes`: what is told meanwhile. @throws FanfareError UNAVAILABLE */
  async load(playerId: string, changes: readonly MembershipFacts[]): Promise<void> {
    const loaded = await this.#read(playerId);
    if (this.#versions.has(playerId)) return this.#takeOver(playerId, loaded);
    this.#versions.set(playerId, loaded.version);
    this.#hub.memberships.replace(playerId, loaded.groups);
    for (const change of changes) await this.apply(change);
  }

  /** The last session of a player has left. */
  forget(playerId: string): void {
    this.#versions.delete(playerId);
    this.#hub.memberships.replace(playerId, []);
  }

  /** Somewhere a membership was changed. @throws FanfareError UNAVAILABLE: it has to be told again */
  async apply({ playerId, group, member, version, mayLack }: MembershipFacts): Promise<void> {
    const known = this.#versions.get(playerId);
    if (known === undefined || Number(version) <= known) return;
    if (mayLack || Number(version) > known + 1) return this.#takeOver(playerId, await this.#read(playerId));
    this.#versions.set(playerId, Number(version));
    if (member) this.#hub.join(playerId, group);
    else this.#hub.leave(playerId, group);
  }

  #takeOver(playerId: string, { groups, version }: PlayerMemberships): void {
    const known = this.#versions.get(playerId);
    if (known === undefined || version <= known) return;
    this.#versions.set(playerId, version);
    const before = new Set(this.#hub.memberships.groupsOf(playerId));
    for (const group of groups) if (!before.delete(group)) this.#hub.join(playerId, group);
    for (const group of before) this.#hub.leave(playerId, group);
  }

  #read(playerId: string): Promise<PlayerMemberships> {
    return this.#store.groupsOf(this.#hub.appId, playerId);
  }
}
