import { expect, it } from "vitest";
import { expectResult, type TestClient, until } from "./testing/test-client.ts";
import type { TestServer } from "./testing/test-server.ts";

const features = ["resume", "presence"];

/** What clients see of who is present in a cluster; to be called where its tests are described. */
export function clusterPresenceContract(nodes: () => readonly [TestServer, TestServer]): void {
  let count = 0;
  const fresh = (prefix: string) => `${prefix}-present${++count}`;

  it("shows who is present on all nodes, and does not flicker when a session moves", async () => {
    const [one, two] = nodes();
    const group = fresh("group");
    const player = fresh("moving");
    const watchers = await Promise.all(
      [one, two].map((server) => server.join(fresh("watcher"), { hello: { features } })),
    );
    for (const watcher of watchers) await watcher.subscribe(group, { presence: true });
    const first = await two.join(player, { hello: { features } });
    await first.subscribe(group);
    await allSee(watchers, player);
    const before = watchers.map((watcher) => changesOf(watcher, player));

    const { sessionId, resumeSecret } = first.welcome!;
    const resume = { sessionId, secret: resumeSecret };
    const channel = { kind: { case: "group" as const, value: group } };
    let mover = first;
    for (const [i, server] of [one, two, one].entries()) {
      mover.cut();
      const hello = { features, attempt: i + 2, resume, subscriptions: [{ channel }] };
      mover = await server.join(player, { hello });
      expect(mover.welcome?.resumed).toBe(true);
      await mover.settle();
    }
    // The entries of the nodes that it was at stay for a moment, and their end is told to the others.
    const lingers = (server: TestServer) => server.hub().channels.get(`g:${group}`)?.presence?.lingers === true;
    await until(() => ![one, two].some(lingers), "the end of former entries");
    // Words of a node come in order: what was told before this is there when this is.
    for (const server of [one, two]) {
      const last = fresh("last");
      await (await server.join(last, { hello: { features } })).subscribe(group);
      await allSee(watchers, last);
    }
    expect(watchers.map((watcher) => changesOf(watcher, player))).toEqual(before);
    const page = await watchers[0]?.request({ case: "presence", value: { channel } });
    expect(page).toMatchObject({ case: "presencePage", value: { players: 5 } });
  });

  it("lists nobody where more are present on all nodes together than the namespace lists, and says how many", async () => {
    const [one, two] = nodes();
    const group = fresh("limited:group");
    const channel = { kind: { case: "group" as const, value: group } };
    const hello = { features };
    const players = [
      await one.join(fresh("ann"), { hello }),
      await two.join(fresh("bob"), { hello }),
      await one.join(fresh("cat"), { hello }),
    ];
    const counts = async () => {
      const asked = { case: "presence" as const, value: { channel } };
      const { members, sessions } = expectResult(await players[0]!.request(asked), "presencePage");
      const { page } = await two.control().getPresence({ channel });
      return [members.length, sessions, page?.members.length, page?.sessions];
    };
    await players[0]?.subscribe(group);
    await players[1]?.subscribe(group);
    expect(await counts()).toEqual([2, 2, 2, 2]);
    await players[2]?.subscribe(group);
    expect(await counts()).toEqual([0, 3, 0, 3]);
  });
}

async function allSee(watchers: readonly TestClient[], player: string): Promise<void> {
  for (const watcher of watchers) {
    while (changesOf(watcher, player).at(-1) !== "joined") await watcher.frame("presenceEvent");
  }
}

/** What a watcher of one channel was told of a player who was not there and then was: each time that it came or went, or was left out of a snapshot. */
function changesOf(watcher: TestClient, player: string): string[] {
  const isPlayer = ({ playerId }: { readonly playerId: string }) => playerId === player;
  return watcher.frames.flatMap(({ kind }) => {
    if (kind.case !== "presenceEvent") return [];
    const { event } = kind.value;
    if (event.case === "snapshot") return event.value.members.some(isPlayer) ? ["joined"] : ["absent"];
    if (event.case !== "diff") return [];
    return [
      ...event.value.joined.filter(isPlayer).map(() => "joined"),
      ...event.value.left.filter(isPlayer).map(() => "left"),
    ];
  });
}
