import { Access } from "@fanfare/proto/config/v1";
import { CloseCode, DeliveryClass, Outcome } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClusterUnderTest } from "./cluster.contract.ts";
import { type TestClient, until } from "./testing/test-client.ts";
import { type TestServer, tokenFor } from "./testing/test-server.ts";

const features = ["resume", "hand_over", "presence", "report", "durable", "history", "cursor", "server_rpc"];

const broadcast = { kind: { case: "broadcast" as const, value: true } };

/** What a client sees of a cluster in which two things are done at the same time, at two nodes. */
export function clusterRacesContract(name: string, open: () => Promise<ClusterUnderTest>): void {
  describe(`races in a cluster over ${name}`, () => {
    let cluster: ClusterUnderTest;
    let one: TestServer;
    let two: TestServer;
    let count = 0;

    beforeAll(async () => {
      cluster = await open();
      [one, two] = cluster.nodes;
    }, 60_000);
    afterAll(() => cluster?.[Symbol.asyncDispose]());

    const fresh = (prefix: string) => `${prefix}${++count}`;
    const join = (server: TestServer, player: string) => server.join(player, { hello: { features } });
    const turn = () => new Promise((resolve) => setImmediate(resolve));

    /** Comes back at another node; what becomes of that is for the caller to see. */
    async function comeBack(client: TestClient, player: string, server: TestServer, handOver = false) {
      const { sessionId = "", resumeSecret = "" } = client.welcome ?? {};
      const second = await server.dial();
      const resume = { sessionId, secret: resumeSecret, handOver };
      return { second, hello: () => second.sayHello({ token: tokenFor(player), features, attempt: 2, resume }) };
    }

    /** The next start of a durable subscription that a node looks for waits: it is `held`, until `goOn`. */
    function holdNextStart(server: TestServer) {
      const { starts } = server.hub();
      const plan = starts.plan.bind(starts);
      const [held, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      starts.plan = async (wish) => {
        starts.plan = plan;
        held.resolve();
        await goOn.promise;
        return plan(wish);
      };
      return { held: held.promise, goOn: goOn.resolve };
    }

    /** A hand-over half way: the second node has the session, and has not welcomed its new connection until `goOn`. */
    async function halfMoved(player: string) {
      const first = await join(one, player);
      const { sessionId, resumeSecret } = first.welcome!;
      const link = one.hub().sessions.get(sessionId)?.link;
      link?.goAway({ deadlineMs: 20_000, reconnectAfterMs: 0, url: "", rebalancing: false });
      await first.frame("goaway");
      const { held, goOn } = holdNextStart(two);
      const second = await two.dial();
      const subscriptions = [{ channel: { kind: { case: "group" as const, value: `durable:${fresh("held")}` } } }];
      const resume = { sessionId, secret: resumeSecret, handOver: true };
      second.sayHello({ token: tokenFor(player), features, attempt: 2, resume, subscriptions });
      await held;
      return { first, second, sessionId, goOn };
    }

    /** Welcomed, or closed. */
    async function answered(client: TestClient): Promise<void> {
      while (client.closedWith === undefined && !client.kinds.includes("welcome")) await turn();
    }

    it("brings no message before the answer that opens its subscription (FF-OR-005)", async () => {
      const subscriber = await join(one, fresh("s"));
      const publishers = [await join(one, fresh("near")), await join(two, fresh("far"))];
      for (let i = 0; i < 50; i++) {
        const group = fresh("early");
        subscriber.forgetFrames();
        for (const publisher of publishers) publisher.tell(group, "a");
        const subscribed = subscriber.subscribe(group);
        while (!subscriber.kinds.includes("reply")) await Promise.all(publishers.map((one) => one.publish(group, "b")));
        await subscribed;
        expect(subscriber.kinds.find((kind) => kind === "reply" || kind === "message")).toBe("reply");
      }
    });

    it("brings no message before the word that the server opened its subscription (FF-OR-005)", async () => {
      const player = fresh("member");
      const member = await join(two, player);
      const publisher = await join(two, fresh("p"));
      for (let i = 0; i < 20; i++) {
        const group = fresh("early");
        member.forgetFrames();
        const joined = one.control().joinGroup({ playerId: player, group });
        while (!member.kinds.includes("subscription")) await publisher.publish(group, "a");
        await joined;
        expect(member.kinds.find((kind) => kind === "subscription" || kind === "message")).toBe("subscription");
      }
    });

    it("opens and closes all of a player's groups that are changed at two nodes", async () => {
      for (let i = 0; i < 40; i++) {
        const player = fresh("player");
        const [old, a, b] = ["old", "a", "b"].map((group) => `members-only:${fresh(group)}`) as [
          string,
          string,
          string,
        ];
        await one.control().joinGroup({ playerId: player, group: old });
        const client = await join(two, player);
        const [first, second] = [one.control(), two.control()];
        await Promise.all([
          first.joinGroup({ playerId: player, group: a }),
          second.joinGroup({ playerId: player, group: b }),
        ]);
        for (const group of [a, b]) await client.frame("subscription", ofGroup(group, "opened"));
        await Promise.all([
          first.leaveGroup({ playerId: player, group: old }),
          second.leaveGroup({ playerId: player, group: b }),
        ]);
        for (const group of [old, b]) await client.frame("subscription", ofGroup(group, "closed"));
        client.cut();
      }
    });

    it("opens a group to a player who is made a member while the session moves", async () => {
      for (let i = 0; i < 40; i++) {
        const [player, group] = [fresh("player"), fresh("group")];
        const first = await join(one, player);
        const { second, hello } = await comeBack(first, player, two);
        const joined = (async () => {
          for (let turns = 0; turns < i; turns++) await turn();
          await one.control().joinGroup({ playerId: player, group });
        })();
        hello();
        const { subscriptions } = await second.frame("welcome");
        await joined;
        if (!subscriptions.some(({ channel }) => channel?.kind.value === group)) {
          await second.frame("subscription", ofGroup(group, "opened"));
        }
        second.cut();
      }
    });

    it("serves the former connection of a session that moves as before, by memberships as they are (FF-GO-003)", async () => {
      const player = fresh("member");
      const groups = ["old", "new", "left"].map((group) => `members-only:${fresh(group)}`) as [string, string, string];
      for (const group of [groups[0], groups[2]]) await one.control().joinGroup({ playerId: player, group });
      const { first, second, goOn } = await halfMoved(player);
      await two.control().joinGroup({ playerId: player, group: groups[1] });
      await two.control().leaveGroup({ playerId: player, group: groups[2] });
      const publish = async (group: string) => {
        const result = await first.request({ case: "publish", value: first.publishOf(group, "x") });
        return result.case === "publishResult" ? Outcome[result.value.outcome] : result.case;
      };
      expect([await publish(groups[0]), await publish(groups[1])]).toEqual(["DELIVERED", "DELIVERED"]);
      expect(await publish(groups[2])).toBe("error");
      goOn();
      await second.frame("welcome");
      await first.frame("handedOver");
      await second.close(CloseCode.DISCONNECTED);
      // Of a node that is alone they are kept nowhere else.
      const kept = one === two ? 2 : 0;
      await until(() => one.hub().memberships.groupsOf(player).length === kept, "nothing to be left of the player");
    });

    /** How it is closed who resumes the session once the second connection is done; undefined: it goes on. */
    async function closedLate(player: string, { first }: Awaited<ReturnType<typeof halfMoved>>) {
      const { sessionId, resumeSecret } = first.welcome!;
      const late = await two.dial();
      const resume = { sessionId, secret: resumeSecret };
      late.sayHello({ token: tokenFor(player), features, attempt: 3, resume });
      await answered(late);
      return late.kinds.includes("welcome") ? undefined : (await late.ended()).code;
    }

    it("neither carries out nor answers on the former connection what would change a session that goes on elsewhere (FF-GO-021)", async () => {
      if (one === two) return; // a node that is alone says welcome and handed_over at once
      const { first, second, goOn } = await halfMoved(fresh("mover"));
      const channel = { kind: { case: "group" as const, value: fresh("late") } };
      first.send({ id: 901, kind: { case: "subscribe", value: { channel } } });
      first.send({ id: 902, kind: { case: "unsubscribe", value: { channel: broadcast } } });
      first.send({ id: 903, kind: { case: "refresh", value: { token: tokenFor(first.welcome?.playerId ?? "") } } });
      await first.publish(fresh("served"), "the former connection serves the rest as before");
      goOn();
      const { subscriptions } = await second.frame("welcome");
      expect(subscriptions.some((one) => one.channel?.kind.value === channel.kind.value)).toBe(false);
      await first.frame("handedOver");
      expect(first.kinds.filter((kind) => kind === "reply")).toHaveLength(1);
      expect(subscriptions.some((one) => one.channel?.kind.case === "broadcast")).toBe(true);
      await second.request({ case: "unsubscribe", value: { channel: broadcast } });
    });

    it("leaves unanswered what the former connection was asked for before the session went on elsewhere (FF-GO-021)", async () => {
      const player = fresh("mover");
      const first = await join(one, player);
      one
        .hub()
        .sessions.get(first.welcome?.sessionId ?? "")
        ?.link?.goAway({ deadlineMs: 20_000, reconnectAfterMs: 0, url: "", rebalancing: false });
      await first.frame("goaway");
      const { held, goOn } = holdNextStart(one);
      const channel = { kind: { case: "group" as const, value: `durable:${fresh("asked")}` } };
      first.send({ id: 904, kind: { case: "subscribe", value: { channel } } });
      await held;
      const { second, hello } = await comeBack(first, player, two, true);
      hello();
      await second.frame("welcome");
      goOn();
      await first.ended();
      expect(first.kinds).not.toContain("reply");
      expect(await second.request({ case: "subscribe", value: { channel } })).toMatchObject({ case: "subscribed" });
    });

    for (const isSecondThere of [true, false]) {
      it(`ends a session that its client disconnects while it moves, ${isSecondThere ? "on both connections" : "also if the new connection is lost"} (FF-SE-019)`, async () => {
        const player = fresh("leaver");
        const moving = await halfMoved(player);
        const { first, second, sessionId, goOn } = moving;
        if (!isSecondThere) second.cut();
        first.send({ kind: { case: "disconnect", value: {} } });
        expect((await first.ended()).code).toBe(CloseCode.DISCONNECTED);
        await one.control().listNodes({}); // its question to the other node comes there behind the word of the end
        goOn();
        if (isSecondThere) expect((await second.ended()).code).toBe(CloseCode.DISCONNECTED);
        expect(await closedLate(player, moving)).toBe(CloseCode.DISCONNECTED);
        for (const server of [one, two]) expect(server.hub().sessions.has(sessionId)).toBe(false);
      });
    }

    it("ends a session whose client closes the new connection for good before it is welcomed (FF-SE-020)", async () => {
      const player = fresh("leaver");
      const moving = await halfMoved(player);
      await moving.second.close(CloseCode.DISCONNECTED);
      moving.goOn();
      // A node that is alone knows nothing of it yet: the session stays with its former connection.
      const isMoved = one !== two;
      expect(await closedLate(player, moving)).toBe(isMoved ? CloseCode.DISCONNECTED : undefined);
      if (isMoved) expect((await moving.first.ended()).code).toBe(CloseCode.GOING_AWAY);
    });

    for (const kind of ["playerId", "sessionId"] as const) {
      it(`does not let a session go on that is ended by its ${kind} while it moves`, async () => {
        for (let i = 0; i < 40; i++) {
          const player = fresh("player");
          const first = await join(one, player);
          const { second, hello } = await comeBack(first, player, two);
          const value = kind === "playerId" ? player : (first.welcome?.sessionId ?? "");
          const ended = (async () => {
            for (let turns = 0; turns < i; turns++) await turn();
            return await two.control().disconnect({ target: { case: kind, value }, reason: "" });
          })();
          hello();
          const { sessions } = await ended;
          await answered(second);
          // By its own name it may have been nowhere at that moment, which the caller is told.
          if (kind === "playerId" || sessions > 0) expect((await second.ended()).code).toBe(CloseCode.KICKED);
          second.cut();
        }
      });
    }

    it("has one set of rules on every node when a namespace is changed at one and back at another", async () => {
      const group = fresh("back");
      const put = (server: TestServer, deliveryClass: DeliveryClass) => {
        const durable = { maxRewind: 100, retention: { maxMessages: 1000 } };
        const open = { subscribe: Access.ANYONE, publish: Access.ANYONE, deliveryClass };
        const rules = deliveryClass === DeliveryClass.DURABLE ? { ...open, ...durable } : open;
        return server.control().putNamespace({ namespace: { name: group, rules } });
      };
      const classes = () =>
        Promise.all(
          [one, two].map(async (server) => {
            const { namespaces } = await server.control().listNamespaces({});
            return namespaces.find((namespace) => namespace.name === group)?.rules?.deliveryClass;
          }),
        );
      await put(two, DeliveryClass.LIVE);
      await put(one, DeliveryClass.DURABLE);
      await put(two, DeliveryClass.LIVE);
      await expect.poll(classes).toEqual([DeliveryClass.LIVE, DeliveryClass.LIVE]);
      await one.control().deleteNamespace({ name: group });
      await put(two, DeliveryClass.LIVE);
      await expect.poll(classes).toEqual([DeliveryClass.LIVE, DeliveryClass.LIVE]);
    });
  });
}

function ofGroup(group: string, event: "opened" | "closed") {
  return (value: { channel?: { kind: { value?: unknown } }; event: { case?: string | undefined } }): boolean =>
    value.channel?.kind.value === group && value.event.case === event;
}
