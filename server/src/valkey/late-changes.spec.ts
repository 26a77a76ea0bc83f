import { describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import { newName } from "../testing/broker-under-test.ts";
import { appendOf, newChannel, page, policyWith, stored } from "../testing/log-under-test.ts";
import { openBrokerOn } from "../testing/valkey-broker.ts";
import { openValkeyLog } from "../testing/valkey-log.ts";
import { startStandalone } from "../testing/valkey-processes.ts";
import { connectValkey, glideConnector, type Reply, type ValkeyClient, type ValkeyConnector } from "./valkey-client.ts";
import type { ValkeyOptions } from "./valkey-options.ts";

/** Real clients; what one has delivered it can deliver once more, as one that was replaced does with what was tried again at another. */
class Deliveries {
  #again: (() => Promise<readonly Reply[]>)[] = [];
  #loses = false;

  readonly connect = async (valkey: ValkeyOptions): Promise<ValkeyClient> => {
    const client = await connectValkey(valkey);
    return {
      send: (...args) => client.send(...args),
      pipeline: (...args) => {
        this.#again.push(() => client.pipeline(...args));
        const answer = client.pipeline(...args);
        if (!this.#loses) return answer;
        this.#loses = false;
        return answer.then(() => Promise.reject(new Error("timed out")));
      },
      close: () => client.close(),
    };
  };

  /** Of what is sent next no answer arrives. */
  loseNextAnswers(): void {
    this.#loses = true;
  }

  /** What is delivered while something is done. */
  async during(work: () => Promise<unknown>): Promise<() => Promise<void>> {
    this.#again = [];
    await work();
    const again = this.#again;
    expect(again).not.toEqual([]);
    return async () => {
      for (const deliver of again) for (const reply of await deliver()) expect(reply).not.toBeInstanceOf(Error);
    };
  }
}

describe.skipIf(requireTool("valkey-server") === undefined)("what is delivered once more, and late", () => {
  it("changes nothing that was changed since: members, bans, kicks and settings", async () => {
    await using servers = await startStandalone(1);
    const deliveries = new Deliveries();
    const connector: ValkeyConnector = { ...glideConnector, connect: deliveries.connect };
    await using broker = await openBrokerOn(servers, { connector });
    const { memberships, standing, settings } = broker;
    const player = newName("player");
    const add = (group: string) => deliveries.during(() => memberships.add("game", player, group, 10));

    const late = [await add("team:a"), await add("team:b"), await add("team:a")];
    late.push(await deliveries.during(() => memberships.remove("game", player, "team:b")));
    await memberships.remove("game", player, "team:a");
    await memberships.add("game", player, "team:c", 10);
    await memberships.add("game", player, "team:b", 10);
    const { version } = await memberships.groupsOf("game", player);
    for (const deliver of late) await deliver();
    expect(await memberships.groupsOf("game", player)).toEqual({ groups: ["team:b", "team:c"], version });
    for (const [group, players] of [["team:a", []] as const, ["team:b", [player]] as const]) {
      expect((await memberships.playersOf("game", group, undefined, 10)).names).toEqual(players);
    }

    const ban = await deliveries.during(() => standing.ban("game", player, Number.POSITIVE_INFINITY, "first"));
    expect(await standing.unban("game", player)).toBe(true);
    await ban();
    expect((await standing.get("game", player)).bannedUntilMs).toBeUndefined();
    const unban = await deliveries.during(() => standing.unban("game", player));
    await standing.ban("game", player, Number.POSITIVE_INFINITY, "second");
    await unban();
    expect((await standing.get("game", player)).banReason).toBe("second");
    const kick = await deliveries.during(() => standing.kick("game", player, 60_000));
    const { kickedAtMs } = await standing.get("game", player);
    await kick();
    expect((await standing.get("game", player)).kickedAtMs).toBe(kickedAtMs);

    const set = await deliveries.during(() => settings.setNamespace("game", "chat", Buffer.from("first")));
    const last = await settings.setNamespace("game", "chat", Buffer.from("second"));
    await set();
    const { version: settled, apps } = await settings.read();
    expect([settled, apps[0]?.namespaces.get("chat")]).toEqual([last, Buffer.from("second")]);
  });

  it("is a change for as long as it is the caller's first, whatever others change meanwhile", async () => {
    await using servers = await startStandalone();
    const deliveries = new Deliveries();
    const connector: ValkeyConnector = { ...glideConnector, connect: deliveries.connect };
    await using one = await openBrokerOn(servers, { connector });
    await using other = await openBrokerOn(servers);
    const player = newName("player");
    const late = await deliveries.during(() => one.memberships.add("game", player, "team:a", 10));
    expect((await other.memberships.remove("game", player, "team:a")).changed).toBe(true);
    await late();
    expect((await one.memberships.groupsOf("game", player)).groups).toEqual([]);
    expect((await one.memberships.add("game", player, "team:a", 10)).changed).toBe(true);
    expect((await other.memberships.groupsOf("game", player)).groups).toEqual(["team:a"]);
  });

  it("was carried out if what it was to bring about holds, although its caller has changed something since", async () => {
    await using servers = await startStandalone();
    const deliveries = new Deliveries();
    const connector: ValkeyConnector = { ...glideConnector, connect: deliveries.connect };
    await using broker = await openBrokerOn(servers, { connector });
    const player = newName("player");
    const groups = ["team:a", "team:b", "team:c"];
    // All answers are lost, so that all is tried again, the first as well, which is not the last that is remembered.
    deliveries.loseNextAnswers();
    const added = await Promise.all(groups.map((group) => broker.memberships.add("game", player, group, 10)));
    expect(added.map(({ changed }) => changed)).toEqual([false, false, true]);
    expect((await broker.memberships.groupsOf("game", player)).groups).toEqual(groups);
    deliveries.loseNextAnswers();
    const until = Number.POSITIVE_INFINITY;
    await Promise.all([
      broker.standing.ban("game", player, until, "why"),
      broker.standing.kick("game", player, 60_000),
    ]);
    expect((await broker.standing.get("game", player)).banReason).toBe("why");
    deliveries.loseNextAnswers();
    const names = ["chat", "team"];
    await Promise.all(names.map((name) => broker.settings.setNamespace("game", name, Buffer.from(name))));
    expect([...((await broker.settings.read()).apps[0]?.namespaces.keys() ?? [])].sort()).toEqual(names);
  });

  it("clears no log a second time", async () => {
    await using servers = await startStandalone(1);
    const deliveries = new Deliveries();
    await using under = await openValkeyLog(servers, { connect: deliveries.connect });
    const channel = newChannel();
    await stored(under.log, appendOf(channel, 1));
    const cleared: number[] = [];
    const clear = async () => void cleared.push((await under.log.clear(channel, policyWith())).epoch);
    const late = [await deliveries.during(clear)];
    await stored(under.log, appendOf(channel, 2));
    await late[0]?.();
    expect((await page(under.log, channel)).items).toHaveLength(1);
    late.push(await deliveries.during(clear));
    const { position } = await stored(under.log, appendOf(channel, 3));
    for (const deliver of late) await deliver();
    expect((await page(under.log, channel)).items).toMatchObject([{ seq: 3 }]);
    expect([cleared.length, position.epoch > (cleared[0] ?? 0), position.epoch]).toEqual([2, true, cleared[1]]);
  });
});
