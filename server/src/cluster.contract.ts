import { Code } from "@connectrpc/connect";
import { Access } from "@fanfare/proto/config/v1";
import type { WatchEventsResponse } from "@fanfare/proto/control/v1";
import { CloseCode, GapReason, Outcome } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterControlContract } from "./cluster-control.contract.ts";
import { clusterPresenceContract } from "./cluster-presence.contract.ts";
import { newApp, type TestServer, tokenFor } from "./testing/test-server.ts";

/** Nodes that are one cluster. With the embedded broker both are the same node. */
export interface ClusterUnderTest extends AsyncDisposable {
  readonly nodes: readonly [TestServer, TestServer];
}

/** Of each node: nobody is refused for being quick. */
export const contractLimits = { publishesPerSecond: 100_000, publishBurst: 100_000, framesPerSecond: 100_000 };

const resumable = ["resume", "hand_over", "presence", "report", "durable", "history", "cursor", "server_rpc"];

/** What a client sees of a cluster, whatever connects its nodes. */
export function clusterContract(name: string, open: () => Promise<ClusterUnderTest>): void {
  describe(`a cluster over ${name}`, () => {
    let cluster: ClusterUnderTest;
    let one: TestServer;
    let two: TestServer;
    let count = 0;

    beforeAll(async () => {
      cluster = await open();
      [one, two] = cluster.nodes;
    }, 60_000);
    afterAll(() => cluster?.[Symbol.asyncDispose]());

    /** A name that no other test uses. */
    const fresh = (prefix: string) => `${prefix}${++count}`;
    const join = (server: TestServer, player: string, options: Parameters<TestServer["join"]>[1] = {}) =>
      server.join(player, { ...options, hello: { features: resumable, ...options.hello } });

    it("carries a message to a player on another node, and says who was reached", async () => {
      const [alice, bob] = [fresh("alice"), fresh("bob")];
      const receiver = await join(two, bob);
      const sender = await join(one, alice);
      const result = await sender.publish({ case: "player", value: bob }, "hello", { wantReport: true });
      expect(result).toMatchObject({ outcome: Outcome.DELIVERED, report: { reached: 1, detached: 0 } });
      await receiver.received(1);
      expect(receiver.texts).toEqual(["hello"]);
      const nobody = await sender.publish({ case: "player", value: fresh("nobody") }, "hello");
      expect(nobody.outcome).toBe(Outcome.OFFLINE);
    });

    it("carries a message to a group's subscribers on all nodes, in the order of its publisher", async () => {
      const group = fresh("group");
      const members = await Promise.all([one, two, two].map((server) => join(server, fresh("member"))));
      await Promise.all(members.map((member) => member.subscribe(group)));
      const sender = await join(one, fresh("sender"));
      const texts = Array.from({ length: 200 }, (_, i) => `${i}`);
      const results = await Promise.all(texts.map((text) => sender.publish(group, text, { wantReport: true })));
      for (const member of members) {
        await member.received(texts.length);
        expect(member.texts).toEqual(texts);
      }
      for (const { outcome, report } of results) expect([outcome, report?.reached]).toEqual([Outcome.DELIVERED, 3]);
    });

    it("carries a broadcast to everybody", async () => {
      const [a, b] = [await join(one, fresh("a")), await join(two, fresh("b"))];
      const text = fresh("broadcast");
      const sender = await join(two, fresh("sender"), { caps: ["publish:broadcast"] });
      const { outcome } = await sender.publish({ case: "broadcast", value: true }, text);
      expect(outcome).toBe(Outcome.DELIVERED);
      for (const client of [a, b]) {
        await client.frame("message", ({ payload }) => payload?.data.value === text);
      }
    });

    it("brings a message that was published after a subscription was opened, always", async () => {
      const [subscriber, publisher] = [await join(one, fresh("s")), await join(two, fresh("p"))];
      for (let i = 0; i < 100; i++) {
        const group = fresh("race");
        await subscriber.subscribe(group);
        await publisher.publish(group, group);
        await subscriber.frame("message", ({ payload }) => payload?.data.value === group);
      }
    });

    it("stores a message once, and serves it to subscribers on every node in one order", async () => {
      const group = `durable:${fresh("g")}`;
      const readers = await Promise.all([one, two].map((server) => join(server, fresh("reader"))));
      for (const reader of readers) await reader.subscribe(group);
      const writers = await Promise.all([one, two].map((server) => join(server, fresh("writer"))));
      await Promise.all(
        writers.flatMap((writer, w) => Array.from({ length: 50 }, (_, i) => writer.publish(group, `${w}.${i}`))),
      );
      for (const reader of readers) await reader.received(100);
      expect(readers[0]?.texts).toEqual(readers[1]?.texts);
      expect(new Set(readers[0]?.texts).size).toBe(100);
    });

    it("resumes a session at another node, and tells of the gap", async () => {
      const [player, group] = [fresh("mover"), fresh("group")];
      const first = await join(one, player);
      await first.subscribe(group);
      const { sessionId, resumeSecret, origin } = first.welcome!;
      first.cut();
      const resume = { sessionId, secret: resumeSecret };
      const channel = { kind: { case: "group" as const, value: group } };
      const second = await join(two, player, { hello: { attempt: 2, resume, subscriptions: [{ channel }] } });
      expect(second.welcome).toMatchObject({ resumed: true, sessionId, origin });
      const subscribed = second.welcome?.subscriptions.find((entry) => entry.channel?.kind.value === group);
      expect(subscribed?.result).toMatchObject({ case: "subscribed", value: { gap: { reason: GapReason.DETACHED } } });
      const other = await join(one, fresh("other"));
      expect(await other.publish(group, "back", { wantReport: true })).toMatchObject({ report: { reached: 1 } });
      await second.received(1);
      expect(await other.publish({ case: "player", value: player }, "you", { wantReport: true })).toMatchObject({
        outcome: Outcome.DELIVERED,
        report: { reached: 1, detached: 0 },
      });
    });

    it("takes a session over from a connection that still stands at another node", async () => {
      const player = fresh("mover");
      const first = await join(one, player);
      const { sessionId, resumeSecret } = first.welcome!;
      const resume = { sessionId, secret: resumeSecret };
      const second = await join(two, player, { hello: { attempt: 2, resume } });
      expect(second.welcome?.resumed).toBe(true);
      expect((await first.ended()).code).toBe(CloseCode.REPLACED);
      const late = await one.dial();
      late.sayHello({ token: tokenFor(player), features: resumable, attempt: 2, resume });
      expect((await late.ended()).code).toBe(CloseCode.STALE_ATTEMPT);
      expect(second.closedWith).toBeUndefined();
    });

    it("refuses to resume what was ended at another node", async () => {
      const player = fresh("leaver");
      const first = await join(one, player);
      const { sessionId, resumeSecret } = first.welcome!;
      await first.close(CloseCode.DISCONNECTED);
      const late = await two.dial();
      const resume = { sessionId, secret: resumeSecret };
      late.sayHello({ token: tokenFor(player), features: resumable, attempt: 2, resume });
      expect((await late.ended()).code).toBe(CloseCode.DISCONNECTED);
    });

    clusterPresenceContract(() => [one, two]);
    clusterControlContract(() => [one, two]);

    it("moves a session to another node without a gap, a loss or a double while messages come", async () => {
      const [player, group] = [fresh("mover"), fresh("group")];
      const channel = { kind: { case: "group" as const, value: group } };
      const sender = await join(two, fresh("sender"));
      let reader = await join(one, player, { hello: { subscriptions: [{ channel }] } });
      const connections = [reader];
      let sent = 0;
      const publish = (): void => {
        for (let i = 0; i < 50; i++) sender.tell(group, `${sent++}`);
      };
      for (let round = 0; round < 4; round++) {
        const [from, to] = round % 2 === 0 ? [one, two] : [two, one];
        publish();
        const { sessionId, resumeSecret, attempt } = reader.welcome!;
        const session = from.hub().sessions.get(sessionId);
        session?.link?.goAway({ deadlineMs: 8_000, reconnectAfterMs: 0, url: "", rebalancing: true });
        await reader.frame("goaway");
        publish();
        const resume = { sessionId, secret: resumeSecret, handOver: true };
        const next = await join(to, player, {
          hello: { attempt: attempt + 1, resume, subscriptions: [{ channel }] },
        });
        publish();
        expect(next.welcome?.resumed).toBe(true);
        const gaps = next.welcome?.subscriptions.map(({ result }) => result.case === "subscribed" && result.value.gap);
        expect(gaps?.filter((gap) => gap !== undefined)).toEqual([]);
        await reader.frame("handedOver");
        expect((await reader.ended()).code).toBe(CloseCode.HANDED_OVER);
        connections.push(next);
        reader = next;
      }
      publish();
      const newest = `${sent - 1}`;
      await reader.frame("message", ({ payload }) => payload?.data.value === newest);
      // As a client puts the two connections together: what the old one brought first, then what it has not seen.
      const seen = new Set<string>();
      for (const { texts } of connections) {
        const fresher = texts.filter((text) => !seen.has(text));
        for (const text of fresher) seen.add(text);
      }
      expect([...seen]).toEqual(Array.from({ length: sent }, (_, i) => `${i}`));
    });

    it("opens a group to a player on another node when the backend makes it a member", async () => {
      const [player, group] = [fresh("member"), `members-only:${fresh("g")}`];
      const client = await join(two, player);
      const control = one.control();
      expect(await control.joinGroup({ playerId: player, group })).toMatchObject({ changed: true });
      await client.frame("subscription", ({ event }) => event.case === "opened");
      expect((await control.listMembers({ group })).playerIds).toEqual([player]);
      const again = await join(one, player);
      expect(again.welcome?.subscriptions.some(({ channel }) => channel?.kind.value === group)).toBe(true);
      expect(await two.control().leaveGroup({ playerId: player, group })).toMatchObject({ changed: true });
      for (const one of [client, again]) await one.frame("subscription", ({ event }) => event.case === "closed");
    });

    it("ends the sessions of a player on every node, and keeps a banned one out of each", async () => {
      const player = fresh("banned");
      const clients = await Promise.all([one, two].map((server) => join(server, player)));
      expect((await one.control().ban({ playerId: player, durationS: 60, reason: "" })).sessions).toBe(2);
      for (const client of clients) expect((await client.ended()).code).toBe(CloseCode.BANNED);
      for (const server of [one, two]) {
        const late = await server.dial();
        late.sayHello({ token: tokenFor(player), features: resumable });
        expect((await late.ended()).code).toBe(CloseCode.BANNED);
      }
      expect((await two.control().unban({ playerId: player })).changed).toBe(true);
      await join(one, player);
    });

    it("lists sessions and groups of all nodes, page by page", async () => {
      const [player, prefix] = [fresh("lister"), fresh("listed")];
      const groups = [0, 1, 2, 3, 4].map((i) => `${prefix}-${i}`);
      for (const [i, server] of [one, two].entries()) {
        const client = await join(server, player);
        for (const group of groups.slice(i, i + 4)) await client.subscribe(group);
      }
      const control = two.control();
      const found: string[] = [];
      for (let pageToken = ""; ; ) {
        const page = await control.listGroups({ prefix, pageSize: 2, pageToken });
        found.push(...page.groups.map(({ group, sessions }) => `${group}:${sessions}`));
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
      expect(found).toEqual(groups.map((group, i) => `${group}:${i === 0 || i === 4 ? 1 : 2}`));
      const { sessions } = await control.listSessions({ playerId: player });
      expect(sessions).toHaveLength(2);
    });

    it("sends away from the fuller node what it has above the mean, and nobody from one that is alone", async () => {
      const connections = () => [one, two].map(({ counters }) => counters.connections) as [number, number];
      const [before, other] = connections();
      await Promise.all(Array.from({ length: Math.max(0, other - before) + 6 }, () => join(one, fresh("many"))));
      const [full, less] = connections();
      const surplus = one === two ? 0 : full - Math.ceil((full + less) / 2);
      const leaving = (server: TestServer) =>
        [...server.hub().sessions.values()].filter(({ link }) => link?.goingAway === true).length;
      const half = await two.controlOfNodes().rebalance({ percent: 50, windowMs: 1_000 });
      expect([half.sessions, leaving(one)]).toEqual([Math.floor(surplus / 2), Math.floor(surplus / 2)]);
      const rest = await two.controlOfNodes().rebalance({ windowMs: 1_000 });
      expect([rest.sessions, leaving(one)]).toEqual([Math.ceil(surplus / 2), surplus]);
      if (one !== two) expect([surplus >= 3, leaving(two)]).toEqual([true, 0]);
    });

    it("tells a backend what happens on all nodes, each thing once", async () => {
      const [player, group] = [fresh("watched"), `members-only:${fresh("g")}`];
      const abort = new AbortController();
      const stream = one.control().watchEvents({ playerId: player }, { signal: abort.signal })[Symbol.asyncIterator]();
      const next = async () => ((await stream.next()).value as WatchEventsResponse).event;
      expect(await next()).toBeUndefined();
      const client = await join(two, player);
      expect(await next()).toMatchObject({
        nodeId: two.server.node.config.nodeId,
        event: { case: "sessionOpened", value: { playerId: player, sessionId: client.welcome?.sessionId } },
      });
      await two.control().joinGroup({ playerId: player, group });
      const cases = async (count: number) => {
        const all: (string | undefined)[] = [];
        for (let i = 0; i < count; i++) all.push((await next())?.event.case);
        return all.toSorted();
      };
      expect(await cases(2)).toEqual(["membershipJoined", "subscribed"]);
      const { sessionId, resumeSecret } = client.welcome!;
      client.cut();
      expect(await cases(1)).toEqual(["sessionDetached"]);
      const resume = { sessionId, secret: resumeSecret };
      const back = await join(one, player, { hello: { attempt: 2, resume } });
      expect(await next()).toMatchObject({ nodeId: one.server.node.config.nodeId, event: { case: "sessionResumed" } });
      // The group is told of again where it moved.
      expect(await cases(one === two ? 0 : 1)).toEqual(one === two ? [] : ["subscribed"]);
      await one.control().leaveGroup({ playerId: player, group });
      expect(await cases(2)).toEqual(["membershipLeft", "unsubscribed"]);
      await back.close(CloseCode.DISCONNECTED);
      expect(await next()).toMatchObject({ event: { case: "sessionClosed" } });
      abort.abort();
    });

    it("shows every node as it is now", async () => {
      await join(two, fresh("shown"));
      const { nodes } = await one.controlOfNodes().listNodes({});
      const shown = nodes.map(({ nodeId, connections, sessions }) => [nodeId, connections, sessions]);
      const servers = one === two ? [one] : [one, two];
      const are = servers.map(({ server, counters }) => [
        server.node.config.nodeId,
        counters.connections,
        counters.sessions,
      ]);
      expect(shown).toEqual(are);
    });

    it("changes a namespace on every node within a second", async () => {
      const name = fresh("ns");
      const clients = await Promise.all([one, two].map((server) => join(server, fresh("late"))));
      const value = { channel: { kind: { case: "group" as const, value: `${name}:x` } } };
      const request = () => Promise.all(clients.map((client) => client.request({ case: "subscribe", value })));
      const cases = async () => (await request()).map((result) => result.case);
      const tookMs = async (change: () => Promise<unknown>) => {
        const beganMs = performance.now();
        await change();
        return performance.now() - beganMs;
      };
      expect(await cases()).toEqual(["error", "error"]);
      const rules = { subscribe: Access.ANYONE, publish: Access.ANYONE };
      const put = await tookMs(async () => {
        await one.control().putNamespace({ namespace: { name, rules } });
        expect(await cases()).toEqual(["subscribed", "subscribed"]);
      });
      const deleted = await tookMs(async () => {
        await two.control().deleteNamespace({ name });
        for (const client of clients) await client.frame("subscription", ({ event }) => event.case === "closed");
      });
      expect(Math.max(put, deleted), "from the call to what a player at each node sees").toBeLessThan(1_000);
    });

    it("serves an app on every node within a second of its put, and changes it without anybody leaving", async () => {
      const app = fresh("app");
      const putAtMs = performance.now();
      const put = await one.operator().putApp({ app: newApp(app) });
      expect(put).toMatchObject({ created: true, unconfirmedNodes: [] });
      const player = await join(two, "player", { app });
      const other = await join(one, "other", { app });
      const tookMs = performance.now() - putAtMs;
      expect(tookMs, "from the put to a player on each node").toBeLessThan(1_000);
      expect(await other.publish({ case: "player", value: "player" }, "hello")).toMatchObject({
        outcome: Outcome.DELIVERED,
      });
      await player.received(1);
      await player.subscribe("chat:x");
      expect((await two.control(app).listNodes({})).nodes.length).toBe(one === two ? 1 : 2);

      // Other rules, and another key for the backend: nobody is thrown out, and the former key is worth nothing.
      const namespaces = [{ name: "default", rules: { subscribe: Access.ANYONE } }];
      const again = await two.operator().putApp({ app: newApp(app, { namespaces, apiKeys: [] }) });
      expect(again).toMatchObject({ created: false, unconfirmedNodes: [] });
      await player.frame("subscription", ({ event }) => event.case === "closed");
      await expect(player.publish("lobby", "no")).rejects.toThrow(/may not publish/);
      for (const server of [one, two]) {
        await expect(server.control(app).listNodes({})).rejects.toMatchObject({ code: Code.Unauthenticated });
      }
      expect([player.closedWith, other.closedWith]).toEqual([undefined, undefined]);

      expect(await one.operator().deleteApp({ id: app })).toMatchObject({ changed: true, unconfirmedNodes: [] });
      for (const client of [player, other]) expect((await client.ended()).code).toBe(CloseCode.PERMISSION_DENIED);
      for (const server of [one, two]) {
        const late = await server.dial();
        late.sayHello({ token: tokenFor("late", { app }), features: resumable });
        expect((await late.ended()).code).toBe(CloseCode.UNAUTHENTICATED);
      }
    });

    it("takes what was put at any node, lists it at every one, and has each of many", async () => {
      const apps = Array.from({ length: 6 }, () => fresh("many"));
      await Promise.all(apps.map((id, i) => [one, two][i % 2]!.operator().putApp({ app: newApp(id) })));
      for (const server of [one, two]) {
        const listed = (await server.operator().listApps({})).apps.map(({ app }) => app?.id);
        expect(listed).toEqual(expect.arrayContaining(["a", "b", ...apps]));
      }
      await Promise.all(apps.map((id, i) => [two, one][i % 2]!.operator().deleteApp({ id })));
      const left = (await two.operator().listApps({})).apps.map(({ app }) => app?.id);
      expect(left.filter((id) => apps.includes(id ?? ""))).toEqual([]);
    });

    it("begins an app anew that was deleted, without namespaces that were put into the former one", async () => {
      const app = fresh("again");
      await one.operator().putApp({ app: newApp(app) });
      await one.control(app).putNamespace({ namespace: { name: "extra", rules: { subscribe: Access.ANYONE } } });
      const names = async (server: TestServer) =>
        (await server.control(app).listNamespaces({})).namespaces.map(({ name }) => name);
      expect(await names(two)).toContain("extra");
      await two.operator().deleteApp({ id: app });
      await one.operator().putApp({ app: newApp(app) });
      for (const server of [one, two]) expect(await names(server)).not.toContain("extra");
      await one.operator().deleteApp({ id: app });
    });
  });
}
