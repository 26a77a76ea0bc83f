import { setTimeout } from "node:timers/promises";
import { Access } from "@fanfare/proto/config/v1";
import { CloseCode, DeliveryClass, GapReason, Outcome } from "@fanfare/proto/v1";
import { expect, it } from "vitest";
import { refusalNames } from "./control/testing/control-fixture.ts";
import { expectResult, until } from "./testing/test-client.ts";
import { newApp, type TestServer, tokenFor } from "./testing/test-server.ts";

const features = ["resume", "hand_over", "presence", "report", "durable", "history", "cursor", "server_rpc"];

/** What a backend sees of a player's sessions in a cluster; to be called where its tests are described. */
export function clusterControlContract(nodes: () => readonly [TestServer, TestServer]): void {
  let count = 0;
  const fresh = (prefix: string) => `${prefix}-told${++count}`;
  const join = (server: TestServer, player: string, options: Parameters<TestServer["join"]>[1] = {}) =>
    server.join(player, { ...options, hello: { features, ...options.hello } });

  it("forgets a player's cursors and own messages at all nodes", async () => {
    const [one, two] = nodes();
    const app = fresh("forgetful");
    const playerRules = { publish: Access.ANYONE, deliveryClass: DeliveryClass.DURABLE };
    await one.operator().putApp({ app: newApp(app, { playerRules }) });
    const [ann, bob] = [await join(one, "ann", { app }), await join(two, "bob", { app })];
    const [own, group] = [{ case: "player" as const, value: "ann" }, "durable:a"];
    const channel = { kind: { case: "group" as const, value: group } };
    const { position } = await bob.publish(group, "read");
    const committed = await ann.request({ case: "cursorCommit", value: { channel, position: position! } });
    expect(committed).toMatchObject({ case: "cursorCommitted", value: { cursor: position } });
    expect((await bob.publish(own, "for ann alone")).outcome).toBe(Outcome.STORED);

    expect(await two.control(app).erasePlayer({ playerId: "ann" })).toMatchObject({ sessions: 1 });
    for (const server of [one, two]) {
      const again = await join(server, "ann", { app });
      const answer = await again.request({ case: "subscribe", value: { channel } });
      expect(expectResult(answer, "subscribed").cursor).toBeUndefined();
      const { page } = await server.control(app).getHistory({ query: { channel: { kind: own } } });
      expect(page?.messages).toEqual([]);
    }
    const { page } = await one.control(app).getHistory({ query: { channel } });
    expect(page?.messages).toHaveLength(1);
  });

  it("closes every connection that lives by a withdrawn token, and refuses it at every node", async () => {
    const [one, two] = nodes();
    const player = fresh("withdrawn");
    const clients = await Promise.all([one, two].map((server) => join(server, player)));
    const issuedBeforeMs = BigInt(Date.now() + 60_000); // of those, too, that are issued here from now on
    expect(await one.control().revokeTokens({ playerId: player, issuedBeforeMs })).toMatchObject({ connections: 2 });
    for (const client of clients) expect((await client.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
    for (const server of [one, two]) {
      const late = await server.dial();
      late.sayHello({ token: tokenFor(player), features });
      expect((await late.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
    }
  });

  it("leaves a skip on every node where a message was deleted, and tells all subscribers of a log that was cleared", async () => {
    const [one, two] = nodes();
    const group = `durable:${fresh("log")}`;
    const channel = { kind: { case: "group" as const, value: group } };
    const publisher = await join(one, fresh("publisher"));
    const { position: start } = await publisher.publish(group, "first");
    const { position } = await publisher.publish(group, "deleted");
    await publisher.publish(group, "last");
    await two.control().deleteMessage({ channel, position: position! });
    const readers = await Promise.all([one, two].map((server) => join(server, fresh("reader"))));
    for (const reader of readers) {
      await reader.subscribe(group, { start: { case: "after", value: start! } });
      await reader.received(1);
      expect([reader.kinds.filter((kind) => kind === "skip"), reader.texts]).toEqual([["skip"], ["last"]]);
    }
    const { head } = await two.control().clearChannel({ channel });
    for (const reader of readers) {
      const { event } = await reader.frame("subscription", ({ event }) => event.case !== "caughtUp");
      expect(event).toMatchObject({ case: "gap", value: { reason: GapReason.EPOCH, to: { epoch: head?.epoch } } });
    }
    await publisher.publish(group, "anew");
    for (const reader of readers) {
      await reader.received(2);
      expect(reader.texts).toEqual(["last", "anew"]);
    }
  });

  it("calls the session of a player that was connected last, at whichever node that is", async () => {
    const [one, two] = nodes();
    const player = fresh("called");
    for (const server of [one, two, one, two]) {
      const { welcome } = await join(server, player);
      await setTimeout(100);
      // None of them answers.
      for (const { sessionId } of await Promise.all(
        [one, two].map((asked) =>
          asked.control().callPlayer({ playerId: player, rpc: { method: "m", deadlineMs: 1 } }),
        ),
      )) {
        expect(sessionId).toBe(welcome?.sessionId);
      }
    }
  });

  it("finds a player who has unsubscribed its own channel", async () => {
    const [one, two] = nodes();
    const [player, group] = [fresh("unsubscribed"), `members-only:${fresh("g")}`];
    const client = await join(two, player);
    const sender = await join(one, fresh("sender"));
    const own = { kind: { case: "player" as const, value: player } };
    expect((await client.request({ case: "unsubscribe", value: { channel: own } })).case).toBe("unsubscribed");
    await setTimeout(2_100); // longer than the route of a channel stays that nobody holds
    const { outcome } = await sender.publish(own.kind, "for nobody who listens");
    expect(outcome).toBe(Outcome.DELIVERED);
    const called = await one.control().callPlayer({ playerId: player, rpc: { method: "m", deadlineMs: 1 } });
    expect(called.sessionId).toBe(client.welcome?.sessionId);
    expect(await one.control().joinGroup({ playerId: player, group })).toMatchObject({ changed: true });
    await client.frame("subscription", ({ event }) => event.case === "opened");
    expect(await one.control().leaveGroup({ playerId: player, group })).toMatchObject({ changed: true });
    await client.frame("subscription", ({ event }) => event.case === "closed");
    await client.close(CloseCode.DISCONNECTED);
    await until(() => two.hub().sessionsOf(player).size === 0, "the end of the session");
    expect((await sender.publish(own.kind, "for nobody at all")).outcome).toBe(Outcome.OFFLINE);
  });

  it("says of a session that cannot be called why, whatever else its player has", async () => {
    const [one, two] = nodes();
    const player = fresh("gone");
    const ask = (server: TestServer, sessionId: string) =>
      refusalNames(server.control().callPlayer({ playerId: player, sessionId, rpc: { method: "m" } }));
    const first = await join(one, player);
    const { sessionId = "" } = first.welcome ?? {};
    await join(two, player);
    first.cut();
    await until(() => one.hub().sessions.get(sessionId)?.link === undefined, "the end of the connection");
    for (const server of [one, two]) {
      expect(await ask(server, sessionId)).toBe("Unavailable PLAYER_OFFLINE");
      expect(await ask(server, "nobodys")).toBe("NotFound NOT_FOUND session_id");
    }
    const ofNobody = { playerId: fresh("nobody"), sessionId, rpc: { method: "m" } };
    expect(await refusalNames(one.control().callPlayer(ofNobody))).toBe("NotFound NOT_FOUND session_id");
  });

  it("lists no group that nobody subscribes any more, also just after a session has moved", async () => {
    const [one, two] = nodes();
    const [player, prefix] = [fresh("mover"), fresh("left")];
    const first = await join(one, player);
    await first.subscribe(`${prefix}-a`);
    const { sessionId, resumeSecret } = first.welcome!;
    const resume = { sessionId, secret: resumeSecret };
    await join(two, player, { hello: { attempt: 2, resume } });
    for (const server of [one, two]) expect((await server.control().listGroups({ prefix })).groups).toEqual([]);
  });
}
