import { CloseCode, ErrorCode, LeaveReason, type PresenceDiff } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../observe/log.ts";
import { ControlFixture, group, masterKey, refusalNames, testConfig } from "./testing/control-fixture.ts";

let fixture: ControlFixture;
const logged: string[] = [];
beforeAll(async () => {
  const log = createLog({ level: "info", nowMs: Date.now, sink: (entry) => logged.push(JSON.stringify(entry)) });
  fixture = await ControlFixture.start(testConfig(), log);
});
afterAll(() => fixture[Symbol.asyncDispose]());

/** How a new hello of a player is answered: `welcome`, or the close code. */
async function attempt(hello: Parameters<ControlFixture["hello"]>[0]): Promise<string | number> {
  const client = await fixture.hello(hello);
  const answer = client.frame("welcome").then(
    () => "welcome",
    async () => (await client.ended()).code,
  );
  return answer;
}

describe("ListSessions", () => {
  it("tells who is connected", async () => {
    const ann = await fixture.player("lis", {
      subscriptions: [{ channel: group("chat:b") }, { channel: group("chat:a") }],
      client: { name: "game", version: "1.2", platform: "test" },
    });
    const { sessions } = await fixture.client().listSessions({ playerId: "lis" });
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({
      sessionId: ann.welcome.sessionId,
      origin: ann.welcome.origin,
      playerId: "lis",
      nodeId: "n1",
      connected: true,
      client: expect.stringContaining("game/1.2"),
    });
    expect(sessions[0]?.groups.toSorted()).toEqual(["chat:a", "chat:b"]);
    expect(Number(sessions[0]?.startedAtMs)).toBeGreaterThan(Date.now() - 60_000);
  });

  it("goes through all sessions of the app in pages, in the order of their ids", async () => {
    await using own = await ControlFixture.start();
    for (let i = 0; i < 7; i++) await own.player(`p${i % 3}`);
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await own.client().listSessions({ pageSize: 3, pageToken });
      ids.push(...page.sessions.map(({ sessionId }) => sessionId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(ids).toHaveLength(7);
    expect(ids).toEqual([...new Set(ids)].sort());
  });
});

describe("Disconnect", () => {
  it("ends all sessions of a player, with the reason, and lets new ones in", async () => {
    const [one, two] = [await fixture.player("dan"), await fixture.player("dan")];
    const bystander = await fixture.player("bea");
    const { sessions } = await fixture.client().disconnect({
      target: { case: "playerId", value: "dan" },
      reason: "maintenance",
    });
    expect(sessions).toBe(2);
    expect([(await one.ended()).code, (await two.ended()).code]).toEqual([CloseCode.KICKED, CloseCode.KICKED]);
    for (const { welcome } of [one, two]) {
      const told = logged.filter((line) => line.includes(welcome.sessionId));
      expect(told).toEqual([expect.stringMatching(/the backend has ended a session.*KICKED.*maintenance/)]);
    }
    expect(bystander.kinds).not.toContain("error");
    const resume = { sessionId: one.welcome.sessionId, secret: one.welcome.resumeSecret };
    const token = await fixture.token("dan");
    expect(await attempt({ token, features: ["resume"], attempt: 2, resume })).toBe(CloseCode.KICKED);
    expect(await attempt({ token })).toBe("welcome");
  });

  it("ends one session, and others see that it was removed", async () => {
    const channel = group("chat:kick");
    const watcher = await fixture.player("wes", { subscriptions: [{ channel, presence: true }] });
    const [one, two] = [await fixture.player("dot", { subscriptions: [{ channel }] }), await fixture.player("dot")];
    const target = { case: "sessionId" as const, value: one.welcome.sessionId };
    const seen = async (what: (diff: PresenceDiff) => boolean) => {
      for (;;) {
        const { event } = await watcher.frame("presenceEvent");
        if (event.case === "diff" && what(event.value)) return event.value;
        if (event.case === "snapshot" && event.value.members.some(({ playerId }) => playerId === "dot")) return;
      }
    };
    await seen(({ joined }) => joined.some(({ playerId }) => playerId === "dot"));
    expect((await fixture.client().disconnect({ target })).sessions).toBe(1);
    expect((await one.ended()).code).toBe(CloseCode.KICKED);
    const rest = (await fixture.client().listSessions({ playerId: "dot" })).sessions;
    expect(rest.map(({ sessionId }) => sessionId)).toEqual([two.welcome.sessionId]);
    const diff = await seen(({ left }) => left.length > 0);
    expect(diff?.left).toMatchObject([{ playerId: "dot", reason: LeaveReason.KICKED }]);
    expect((await fixture.client().disconnect({ target })).sessions).toBe(0);
    expect(await refusalNames(fixture.client().disconnect({}))).toBe("InvalidArgument INVALID_ARGUMENT target");
  });
});

describe("Ban", () => {
  it("ends sessions, refuses new ones and resumes, until it is lifted", async () => {
    const player = await fixture.player("eve");
    const client = fixture.client();
    expect((await client.ban({ playerId: "eve", reason: "cheating" })).sessions).toBe(1);
    expect((await player.ended()).code).toBe(CloseCode.BANNED);
    const token = await fixture.token("eve");
    expect(await attempt({ token })).toBe(CloseCode.BANNED);
    const refused = await fixture.hello({ token });
    expect(await refused.frame("error")).toMatchObject({ code: ErrorCode.BANNED, message: "cheating" });
    expect([
      (await client.unban({ playerId: "eve" })).changed,
      (await client.unban({ playerId: "eve" })).changed,
    ]).toEqual([true, false]);
    expect(await attempt({ token })).toBe("welcome");
  });
});

describe("RevokeTokens", () => {
  it("closes connections that live by an older token, and refuses it from then on", async () => {
    const old = await fixture.token("rex", "game", 60_000);
    const fresh = await fixture.token("rex", "game", -2_000);
    const [one, two] = [await fixture.player("rex", { token: old }), await fixture.player("rex", { token: fresh })];
    expect((await fixture.client().revokeTokens({ playerId: "rex" })).connections).toBe(1);
    expect((await one.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
    expect(await attempt({ token: old })).toBe(CloseCode.TOKEN_REVOKED);
    two.send({ id: 5, kind: { case: "refresh", value: { token: old } } });
    expect((await two.frame("reply")).result).toMatchObject({
      case: "error",
      value: { code: ErrorCode.TOKEN_REVOKED },
    });
    const resume = { sessionId: one.welcome.sessionId, secret: one.welcome.resumeSecret };
    expect(await attempt({ token: fresh, features: ["resume"], attempt: 2, resume })).toBe("welcome");
  });

  it("takes the time that it is given", async () => {
    const player = await fixture.player("roy", { token: await fixture.token("roy", "game", 60_000) });
    const client = fixture.client();
    const issuedBeforeMs = BigInt(Date.now() - 120_000);
    expect((await client.revokeTokens({ playerId: "roy", issuedBeforeMs })).connections).toBe(0);
    expect((await client.revokeTokens({ playerId: "roy", issuedBeforeMs: BigInt(Date.now()) })).connections).toBe(1);
    expect((await player.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
  });
});

describe("A node that remembers no more of an app", () => {
  it("ends the sessions of who is banned and closes what lives by a withdrawn token, and says that it keeps neither", async () => {
    await using full = await ControlFixture.start();
    const { bans, revocations } = full.server.node;
    for (let i = 0; i < 50_000; i++) {
      bans.ban("game", `full-${i}`, 0, "");
      revocations.revoke("game", `full-${i}`, Date.now());
    }
    const client = full.client();
    const [banned, revoked] = [await full.player("ben"), await full.player("rex")];
    expect(await refusalNames(client.ban({ playerId: "ben" }))).toBe("ResourceExhausted LIMIT_EXCEEDED");
    expect((await banned.ended()).code).toBe(CloseCode.BANNED);
    const issuedBeforeMs = BigInt(Date.now() + 60_000);
    const withdrawal = client.revokeTokens({ playerId: "rex", issuedBeforeMs });
    expect(await refusalNames(withdrawal)).toBe("ResourceExhausted LIMIT_EXCEEDED");
    expect((await revoked.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
    // Another app has its own share.
    await full.client(masterKey("other")).ban({ playerId: "ben" });
    await full.client(masterKey("other")).revokeTokens({ playerId: "ben" });
  });
});

describe("ErasePlayer", () => {
  it("forgets sessions, memberships and ban", async () => {
    const client = fixture.client();
    const player = await fixture.player("zoe");
    await client.joinGroup({ playerId: "zoe", group: "team:a" });
    await client.joinGroup({ playerId: "zoe", group: "team:b" });
    expect(await client.erasePlayer({ playerId: "zoe" })).toMatchObject({ sessions: 1, memberships: 2 });
    expect((await player.ended()).code).toBe(CloseCode.KICKED);
    expect((await client.listMemberships({ playerId: "zoe" })).groups).toEqual([]);
    expect((await client.listMembers({ group: "team:a" })).playerIds).toEqual([]);
    await client.ban({ playerId: "zoe" });
    expect(await client.erasePlayer({ playerId: "zoe" })).toMatchObject({ sessions: 0, memberships: 0 });
    expect((await client.unban({ playerId: "zoe" })).changed).toBe(false);
  });
});
