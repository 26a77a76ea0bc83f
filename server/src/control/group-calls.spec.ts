import { SubscriptionCloseReason } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textOf } from "../testing/test-client.ts";
import { broadcast, ControlFixture, group, player, refusalNames, text } from "./testing/control-fixture.ts";

let fixture: ControlFixture;
beforeAll(async () => {
  fixture = await ControlFixture.start();
});
afterAll(() => fixture[Symbol.asyncDispose]());

describe("memberships", () => {
  it("subscribe every session the player has and opens, and end with the membership", async () => {
    const client = fixture.client();
    const phone = await fixture.player("ann");
    expect(await client.joinGroup({ playerId: "ann", group: "team:red" })).toMatchObject({ changed: true });
    expect(await client.joinGroup({ playerId: "ann", group: "team:red" })).toMatchObject({ changed: false });
    const opened = await phone.frame("subscription");
    expect(opened).toMatchObject({ channel: group("team:red"), event: { case: "opened", value: { byServer: true } } });

    const tab = await fixture.player("ann");
    expect(tab.welcome.subscriptions.map(({ channel }) => channel?.kind.value)).toContain("team:red");
    await client.publish({ publications: [{ channels: [group("team:red")], payload: text("go") }] });
    expect([textOf(await phone.frame("message")), textOf(await tab.frame("message"))]).toEqual(["go", "go"]);

    expect((await client.leaveGroup({ playerId: "ann", group: "team:red" })).changed).toBe(true);
    expect((await client.leaveGroup({ playerId: "ann", group: "team:red" })).changed).toBe(false);
    const closed = await phone.frame("subscription");
    expect(closed.event).toMatchObject({ case: "closed", value: { reason: SubscriptionCloseReason.LEFT } });
  });

  it("outlive sessions and need none", async () => {
    const client = fixture.client();
    for (const name of ["team:b", "team:a", "chat:x"]) await client.joinGroup({ playerId: "offline", group: name });
    expect((await client.listMemberships({ playerId: "offline" })).groups).toEqual(["chat:x", "team:a", "team:b"]);
    expect((await client.listMemberships({ playerId: "unknown" })).groups).toEqual([]);
  });

  it("need a namespace that exists", async () => {
    const joined = fixture.client().joinGroup({ playerId: "ann", group: "nowhere:a" });
    expect(await refusalNames(joined)).toBe("NotFound UNKNOWN_NAMESPACE channel.group");
  });

  it("are bounded for a player", async () => {
    const { hub } = fixture.server.node.apps.get("game")!;
    for (let i = 0; i < 1000; i++) hub.memberships.add("joiner", `team:${i}`);
    const joined = fixture.client().joinGroup({ playerId: "joiner", group: "team:more" });
    expect(await refusalNames(joined)).toBe("ResourceExhausted LIMIT_EXCEEDED");
  });

  it("are listed by group, in pages", async () => {
    const client = fixture.client();
    const names = Array.from({ length: 25 }, (_, i) => `m${String(i).padStart(2, "0")}`);
    for (const playerId of names.toReversed()) await client.joinGroup({ playerId, group: "team:crowd" });
    const first = await client.listMembers({ group: "team:crowd", pageSize: 10 });
    expect(first.playerIds).toEqual(names.slice(0, 10));
    await client.leaveGroup({ playerId: "m09", group: "team:crowd" });
    const rest = await client.listMembers({ group: "team:crowd", pageSize: 100, pageToken: first.nextPageToken });
    expect(rest).toMatchObject({ playerIds: names.slice(10), nextPageToken: "" });
    const wrong = client.listGroups({ pageToken: first.nextPageToken });
    expect(await refusalNames(wrong)).toBe("InvalidArgument INVALID_ARGUMENT page_token");
  });
});

describe("ListGroups", () => {
  it("lists groups that have subscribers, with their number, by prefix and in pages", async () => {
    await using own = await ControlFixture.start();
    const subscriptions = ["chat:b", "chat:a", "quiet:c"].map((name) => ({ channel: group(name) }));
    await own.player("ann", { subscriptions });
    await own.player("bob", { subscriptions: subscriptions.slice(0, 1) });
    const client = own.client();
    expect((await client.listGroups({})).groups).toMatchObject([
      { group: "chat:a", sessions: 1 },
      { group: "chat:b", sessions: 2 },
      { group: "quiet:c", sessions: 1 },
    ]);
    expect((await client.listGroups({ prefix: "quiet:" })).groups).toHaveLength(1);
    const { nextPageToken } = await client.listGroups({ pageSize: 1 });
    const second = await client.listGroups({ pageSize: 1, pageToken: nextPageToken });
    expect(second.groups.map((one) => one.group)).toEqual(["chat:b"]);
  });
});

describe("GetPresence", () => {
  it("tells who is in a group", async () => {
    const channel = group("chat:hall");
    const ann = await fixture.player("ann", { subscriptions: [{ channel, presenceData: text("ready") }] });
    await fixture.player("ann", { subscriptions: [{ channel }] });
    await fixture.player("bob", { subscriptions: [{ channel }] });
    const client = fixture.client();
    const { page } = await client.getPresence({ channel });
    expect(page).toMatchObject({ sessions: 3, players: 2 });
    const member = page?.members.find(({ origin }) => origin === ann.welcome.origin);
    expect(member).toMatchObject({ playerId: "ann", data: { data: { value: "ready" } } });
    expect((await client.getPresence({ channel, countsOnly: true })).page).toMatchObject({ sessions: 3, members: [] });
    const first = (await client.getPresence({ channel, pageSize: 2 })).page!;
    const second = (await client.getPresence({ channel, pageSize: 2, pageToken: first.nextPageToken })).page!;
    const origins = [...first.members, ...second.members].map(({ origin }) => origin);
    expect([origins.length, new Set(origins).size, second.nextPageToken]).toEqual([3, 3, ""]);
  });

  it("tells counts alone where the namespace tells no more, and an empty page of an empty group", async () => {
    const client = fixture.client();
    await client.joinGroup({ playerId: "pia", group: "team:counted" });
    await fixture.player("pia");
    const { page } = await client.getPresence({ channel: group("team:counted") });
    expect(page).toMatchObject({ sessions: 1, players: 1, members: [] });
    expect((await client.getPresence({ channel: group("chat:nobody") })).page).toMatchObject({
      sessions: 0,
      players: 0,
    });
  });

  it("refuses where there is none", async () => {
    const client = fixture.client();
    for (const channel of [group("quiet:a"), player("ann"), broadcast]) {
      expect(await refusalNames(client.getPresence({ channel }))).toBe("FailedPrecondition FAILED_PRECONDITION");
    }
    expect(await refusalNames(client.getPresence({ channel: group("nowhere:a") }))).toBe(
      "NotFound UNKNOWN_NAMESPACE channel.group",
    );
    const wrong = client.getPresence({ channel: group("chat:hall"), pageToken: "x" });
    expect(await refusalNames(wrong)).toBe("InvalidArgument INVALID_ARGUMENT page_token");
  });
});

describe("namespaces", () => {
  it("are listed with their rules, put and deleted without a restart", async () => {
    await using own = await ControlFixture.start();
    const client = own.client();
    const { namespaces } = await client.listNamespaces({});
    expect(namespaces.map(({ name }) => name)).toEqual(["chat", "log", "quiet", "team"]);
    for (const namespace of namespaces) expect((await client.putNamespace({ namespace })).created).toBe(false);
    expect((await client.listNamespaces({})).namespaces).toEqual(namespaces);

    const ann = await own.player("ann");
    const channel = group("arena:1");
    ann.send({ id: 1, kind: { case: "subscribe", value: { channel } } });
    expect((await ann.frame("reply")).result.case).toBe("error");
    const arena = { name: "arena", rules: { subscribe: 4 } };
    expect((await client.putNamespace({ namespace: arena })).created).toBe(true);
    ann.send({ id: 2, kind: { case: "subscribe", value: { channel } } });
    expect((await ann.frame("reply")).result.case).toBe("subscribed");

    expect((await client.deleteNamespace({ name: "arena" })).changed).toBe(true);
    const { event } = await ann.frame("subscription");
    expect(event).toMatchObject({ case: "closed", value: { reason: SubscriptionCloseReason.NAMESPACE } });
    expect((await client.deleteNamespace({ name: "arena" })).changed).toBe(false);
    expect((await client.listGroups({})).groups).toEqual([]);
  });

  it("whose rules become stricter close what they do not allow any more, and keep members (FF-SB-005)", async () => {
    await using own = await ControlFixture.start();
    const client = own.client();
    await client.joinGroup({ playerId: "ann", group: "chat:a" });
    const [ann, bob] = [await own.player("ann"), await own.player("bob")];
    await bob.subscribe("chat:a");
    await client.putNamespace({ namespace: { name: "chat", rules: { subscribe: 2 } } });
    const { event } = await bob.frame("subscription");
    expect(event).toMatchObject({ case: "closed", value: { reason: SubscriptionCloseReason.PERMISSION } });
    await ann.settle();
    expect(ann.kinds).not.toContain("subscription");
    expect((await client.listGroups({})).groups).toMatchObject([{ group: "chat:a", sessions: 1 }]);
  });

  it("that contradict themselves are refused, naming the field", async () => {
    const client = fixture.client();
    const asking = { name: "log", rules: { backendPublish: 3 } };
    expect(await refusalNames(client.putNamespace({ namespace: asking }))).toBe(
      "InvalidArgument INVALID_ARGUMENT namespace.rules.backend_publish",
    );
    expect(await refusalNames(client.putNamespace({}))).toBe("InvalidArgument INVALID_ARGUMENT namespace");
  });
});
