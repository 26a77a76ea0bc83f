import { describe, expect, it } from "vitest";
import { json, typed } from "../payload.ts";
import { Scripted } from "../testing/scripted.ts";
import { settled } from "../testing/virtual-clock.ts";
import type { Init } from "../wire/codec.ts";
import { ErrorCode, LeaveReason, type PresenceEvent, type PresenceMember, type ServerFrame } from "../wire/schema.ts";

const member = (origin: number, show = "", generation = 1): Init<PresenceMember> => ({
  origin: BigInt(origin),
  generation,
  playerId: `p${origin % 10}`,
  data: { type: "", json: JSON.stringify(show) },
});
const leave = (origin: number, generation = 1) => ({
  origin: BigInt(origin),
  generation,
  playerId: `p${origin}`,
  reason: LeaveReason.TIMEOUT,
});
const event = (event: Init<PresenceEvent>): Init<ServerFrame> => ({
  presenceEvent: { channel: { group: "a" }, ...event },
});
const snapshot = (number: number, members: Init<PresenceMember>[], page = { first: true, last: true }, section = 1n) =>
  event({ snapshot: { section, number, members, ...page } });
const diff = (number: number, changes: Init<NonNullable<PresenceEvent["diff"]>>, section = 1n) =>
  event({ diff: { section, number, ...changes } });

async function present() {
  const t = await Scripted.connected();
  const group = await t.join("a", { presence: { name: "me" } });
  const changes: string[] = [];
  group.roster.on("change", (change) => {
    if (change.type === "synced") changes.push("synced");
    else if (change.type === "counts") changes.push(`${change.sessions} sessions, ${change.players} players`);
    else
      changes.push(
        `${change.type} ${change.member.origin}${change.type === "left" ? ` ${LeaveReason[change.reason]}` : ""}`,
      );
  });
  const members = () => [...group.roster].map(({ origin, data }) => `${origin}:${data}`).sort();
  return { t, group, changes, members };
}

describe("the roster", () => {
  it("asks for presence and shows what the player shows, as JSON or as a type", async () => {
    const { t } = await present();
    expect(t.socket.last("subscribe").frame).toMatchObject({ presence: true, presenceData: { json: '{"name":"me"}' } });
    await t.join("b", { presence: typed(json("profile"), { level: 3 }) });
    expect(t.socket.last("subscribe").frame.presenceData).toEqual({ type: "profile", json: '{"level":3}' });
    await t.join("c", { roster: true });
    expect(t.socket.last("subscribe").frame).toMatchObject({ presence: true });
    expect(t.socket.last("subscribe").frame.presenceData).toBeUndefined();
    await t.join("d");
    expect(t.socket.last("subscribe").frame.presence).toBe(false);
  });

  it("is put together from the pages of a snapshot and numbered diffs", async () => {
    const { t, group, changes, members } = await present();
    await t.socket.say(snapshot(7, [member(1, "x")], { first: true, last: false }));
    expect(group.roster.complete).toBe(false);
    await t.socket.say(snapshot(7, [member(2), member(12)], { first: false, last: true }));
    expect(group.roster.complete).toBe(true);
    expect([group.roster.sessions, group.roster.players]).toEqual([3, 2]);
    await t.socket.say(diff(8, { joined: [member(3)], updated: [member(1, "y")], left: [leave(2)] }));
    expect(members()).toEqual(["12:", "1:y", "3:"]);
    expect(changes).toEqual(["joined 1", "joined 2", "joined 12", "synced", "joined 3", "updated 1", "left 2 TIMEOUT"]);
    expect(group.roster.get(1n)?.read(json())).toBe("y");
  });

  it("keeps diffs that come before their snapshot, and applies those that are newer [FF-PR-011]", async () => {
    const { t, members } = await present();
    await t.socket.say(
      diff(4, { joined: [member(4)] }),
      diff(5, { joined: [member(5)] }),
      diff(6, { left: [leave(4)] }),
    );
    expect(members()).toEqual([]);
    await t.socket.say(snapshot(4, [member(1), member(4)]));
    expect(members()).toEqual(["1:", "5:"]);
    expect(t.socket.sent("subscribe")).toHaveLength(1);
  });

  it("bounds what it keeps early", async () => {
    const { t, members } = await present();
    for (let number = 2; number < 1000; number++) await t.socket.say(diff(number, { joined: [member(number)] }));
    await t.socket.say(snapshot(1, [member(1)]));
    expect(members().length).toBeLessThan(300);
    expect(t.socket.sent("subscribe"), "what was thrown away is asked for").toHaveLength(2);
  });

  it("drops diffs that are not newer, and asks for a snapshot once after a hole [FF-PR-012, FF-PR-014]", async () => {
    const { t, members } = await present();
    await t.socket.say(snapshot(7, [member(1)]), diff(7, { joined: [member(9)] }), diff(3, { left: [leave(1)] }));
    expect(members()).toEqual(["1:"]);
    await t.socket.say(
      diff(9, { joined: [member(9)] }),
      diff(10, { joined: [member(10)] }),
      diff(11, { left: [leave(10)] }),
    );
    expect(members(), "nothing is applied behind the hole").toEqual(["1:"]);
    expect(t.socket.sent("subscribe")).toHaveLength(2);
    await t.subscribed(true);
    await t.socket.say(snapshot(10, [member(1), member(8), member(10)]));
    await t.socket.say(diff(11, { left: [leave(10)] }));
    expect(members()).toEqual(["1:", "8:"]);
  });

  it("lets the higher generation of a session win, and a late leave of the former node remove nothing [FF-PR-016, FF-PR-017]", async () => {
    const { t, members } = await present();
    await t.socket.say(
      snapshot(1, [member(1, "old")]),
      snapshot(1, [member(1, "new", 2)], { first: true, last: true }, 2n),
    );
    await t.socket.say(diff(2, { left: [leave(1)] }), diff(3, { joined: [member(1, "stale")] }));
    expect(members()).toEqual(["1:new"]);
    await t.socket.say(diff(4, { left: [leave(1, 2)] }));
    expect(members(), "another section's leave").toEqual(["1:new"]);
    await t.socket.say(diff(2, { left: [leave(1, 2)] }, 2n));
    expect(members()).toEqual([]);
  });

  it("goes over to a new snapshot after a reconnect, and tells only what has changed", async () => {
    const { t, group, changes, members } = await present();
    await t.socket.say(snapshot(7, [member(1), member(2)]));
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    expect(members(), "the old list, out of date").toEqual(["1:", "2:"]);
    expect(group.roster.complete).toBe(false);
    changes.length = 0;
    await t.socket.say(
      diff(8, { joined: [member(3)] }, 9n),
      snapshot(7, [member(2), member(4)], { first: true, last: true }, 9n),
    );
    expect(members()).toEqual(["2:", "3:", "4:"]);
    expect(changes).toEqual(["left 1 UNSPECIFIED", "joined 4", "joined 3", "synced"]);
  });

  it("shows what a new snapshot says of a session, also if what was known before was of a higher generation [FF-PR-015, FF-PR-019]", async () => {
    const { t, members } = await present();
    await t.socket.say(snapshot(1, [member(1, "node 1")]));
    await t.socket.say(snapshot(1, [member(1, "node 2", 2), member(2)], { first: true, last: true }, 2n));
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    await t.socket.say(snapshot(5, [member(1, "node 1"), member(2, "", 2)]));
    expect(members()).toEqual(["1:node 1", "2:"]);
    await t.socket.say(diff(6, { left: [leave(1)] }));
    expect(members(), "and it goes").toEqual(["2:"]);
    await t.socket.say(snapshot(7, [member(2, "again", 1)]));
    expect(members()).toEqual(["2:again"]);
  });

  it("shows numbers alone in large channels [FF-PR-018]", async () => {
    const { t, group, changes, members } = await present();
    await t.socket.say(snapshot(1, [member(1)]), event({ counts: { sessions: 5000, players: 4800 } }));
    expect(group.roster).toMatchObject({ sessions: 5000, players: 4800, countsOnly: true, complete: true });
    expect(members()).toEqual([]);
    await t.socket.say(snapshot(9, [member(1), member(2)]));
    expect(group.roster).toMatchObject({ sessions: 2, countsOnly: false });
    const told = ["joined 1", "synced", "5000 sessions, 4800 players", "joined 1", "joined 2", "synced"];
    expect(changes, "whoever listens knows when the list ends and begins").toEqual(told);
  });
});

describe("presence requests", () => {
  it("changes what is shown, and shows it again after a reconnect", async () => {
    const { t, group } = await present();
    const updated = group.updatePresence({ name: "new" });
    await settled();
    const { id, frame } = t.socket.last("presenceUpdate");
    expect(frame).toMatchObject({ channel: { group: "a" }, data: { json: '{"name":"new"}' } });
    await t.socket.say({ id, reply: { presenceUpdated: {} } });
    await updated;
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions[0]?.presenceData).toMatchObject({ json: '{"name":"new"}' });
  });

  it("reads a channel page by page", async () => {
    const { t } = await present();
    const first = t.client.presence({ group: "b" }, { pageSize: 2 });
    await settled();
    const { id, frame } = t.socket.last("presence");
    expect(frame).toMatchObject({ channel: { group: "b" }, pageSize: 2, pageToken: "", countsOnly: false });
    const page = { members: [member(1, "x"), member(2)], sessions: 3, players: 3, nextPageToken: "more" };
    await t.socket.say({ id, reply: { presencePage: page } });
    expect(await first).toMatchObject({ sessions: 3, players: 3, nextPageToken: "more" });
    expect((await first).members.map(({ playerId, data }) => [playerId, data])).toEqual([
      ["p1", "x"],
      ["p2", ""],
    ]);
    await expect(t.client.presence("broadcast", { pageSize: 1001 })).rejects.toMatchObject({
      code: ErrorCode.INVALID_ARGUMENT,
      field: "presence.page_size",
    });
  });
});
