import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../../fanfare-error.ts";
import { lineOf } from "../../valkey/reply-mark.ts";
import type { MembershipStore, NamePage, PlayerMemberships } from "../membership-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";

/**
 * Memberships in Valkey, described in `lua/memberships.ts`: the groups of a player, which count, and behind each change the members of the group, in
 * another slot. Who dies between the two leaves the list of the group behind, until the change is made again.
 */
export class ValkeyMembershipStore implements MembershipStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async add(
    appId: string,
    playerId: string,
    group: string,
    maxGroups: number,
  ): Promise<{ readonly changed: boolean; readonly version: number }> {
    return await this.#change(appId, playerId, group, true, maxGroups);
  }

  async remove(
    appId: string,
    playerId: string,
    group: string,
  ): Promise<{ readonly changed: boolean; readonly version: number }> {
    return await this.#change(appId, playerId, group, false, 0);
  }

  async groupsOf(appId: string, playerId: string): Promise<PlayerMemberships> {
    const { keys } = this.#connections;
    const parts = (await this.#connections.read("read", keys.groupsOf(appId, playerId), [])).map(String);
    const groups: string[] = [];
    let version = 0;
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const [field, value] = parts.slice(i, i + 2) as [string, string];
      if (field === "v") version = Number(value);
      else if (field.startsWith("g")) groups.push(field.slice(1));
    }
    return { groups: groups.sort(), version };
  }

  async playersOf(appId: string, group: string, after: string | undefined, limit: number): Promise<NamePage> {
    const members = this.#connections.keys.membersOf(appId, group);
    const found = await this.#connections.read("index_page", members, [after ?? "", String(limit + 1)]);
    const names = found.slice(0, limit).map(String);
    return { names, next: found.length > limit ? names.at(-1) : undefined };
  }

  async #change(
    appId: string,
    playerId: string,
    group: string,
    isMember: boolean,
    maxGroups: number,
  ): Promise<{ readonly changed: boolean; readonly version: number }> {
    const { keys } = this.#connections;
    const member = isMember ? "1" : "0";
    const args = [group, member, String(maxGroups)];
    const reply = await this.#connections.changeOnce("member_change", keys.groupsOf(appId, playerId), args);
    const [answer, , version = "0"] = lineOf(reply);
    if (answer === "full")
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a player is in at most ${maxGroups} groups`);
    await this.#connections.change("index_change", keys.membersOf(appId, group), [playerId, member, version]);
    return { changed: answer === "changed", version: Number(version) };
  }
}
