import { describe, expect, it } from "vitest";
import { FanfareError } from "./error.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { CloseCode, ErrorCode } from "./wire/schema.ts";

const minute = 60_000;

/** A client whose token lives for ten minutes by the server's clock, which is an hour ahead. */
async function connected(tokens: string[]) {
  const t = new Scripted();
  await t.open({}, tokens);
  await t.socket.accept();
  const serverNowMs = t.clock.now() + 60 * minute;
  await t.socket.say(
    t.welcomeFrame({
      serverTimeUs: serverNowMs * 1000,
      tokenExpiresAtMs: serverNowMs + 10 * minute,
      heartbeatIntervalMs: 0,
    }),
  );
  return t;
}

describe("tokens", () => {
  it("are refreshed on the live connection at 80 % of their life, whatever the clocks say [FF-SE-027]", async () => {
    const t = await connected(["one", "two", "three"]);
    await t.clock.advance(8 * minute - 1);
    expect(t.tokenReasons).toEqual(["connect"]);
    await t.clock.advance(1);
    expect(t.tokenReasons).toEqual(["connect", "refresh"]);
    const { id, frame } = t.socket.last("refresh");
    expect(frame.token).toBe("two");
    const expires = t.clock.now() + 10 * minute;
    await t.socket.say({ id, reply: { refreshed: { tokenExpiresAtMs: expires } } });
    expect(t.statuses.at(-1)).toMatchObject({ type: "token-refreshed", expiresAt: new Date(expires) });
    await t.clock.advance(8 * minute);
    expect(t.socket.last("refresh").frame.token).toBe("three");
    expect(t.network.sockets).toHaveLength(1);
  });

  it("are asked for again when a refresh fails, and nothing is closed for that", async () => {
    const t = await connected(["one", "two"]);
    await t.clock.advance(8 * minute);
    await t.socket.say({ id: t.socket.last("refresh").id, reply: { error: { code: ErrorCode.PERMISSION_DENIED } } });
    expect(t.statuses.at(-1)).toMatchObject({
      type: "error",
      source: "token",
      error: { code: ErrorCode.PERMISSION_DENIED },
    });
    await t.clock.advance(5000);
    expect(t.socket.sent("refresh")).toHaveLength(2);
    expect(t.client.status).toBe("open");
  });

  it("are used again for a reconnect while they live, and asked for anew when they do not", async () => {
    const t = await connected(["one", "two"]);
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.token).toBe("one");
    await t.lifecycle("suspend");
    await t.clock.sleep(11 * minute);
    await t.lifecycle("wake");
    await t.socket.accept();
    expect(t.socket.last("hello").frame.token).toBe("two");
  });

  it("are asked for at once after 4300 and 4301, with the reason, and used again only after a delay [FF-BO-007]", async () => {
    for (const [code, reason] of [
      [CloseCode.TOKEN_EXPIRED, "expired"],
      [CloseCode.TOKEN_REVOKED, "revoked"],
    ] as const) {
      const t = await connected(["one", "two"]);
      await t.socket.end(code);
      expect(t.tokenReasons).toEqual(["connect", reason]);
      await t.socket.accept();
      expect(t.socket.last("hello").frame).toMatchObject({ token: "two", resume: { sessionId: "session-1" } });

      const same = await connected(["one"]);
      await same.socket.end(code);
      expect(same.network.sockets).toHaveLength(1);
      expect(same.statuses.at(-1)).toMatchObject({ type: "waiting" });
      await same.clock.advance(250);
      expect(same.tokenReasons).toEqual(["connect", reason, reason]);
      expect(same.network.sockets, "it may have been refused by a clock that is wrong").toHaveLength(2);
      await same.socket.accept();
      await same.socket.end(code);
      expect(same.network.sockets).toHaveLength(2);
      expect(same.statuses.at(-1), "refused again").toMatchObject({ type: "waiting" });
    }
  });

  it("are asked for with back-off while the provider fails, and not any more when it says that trying is in vain", async () => {
    let error: Error = new Error("no network");
    const t = new Scripted();
    let asked = 0;
    const getToken = () => {
      asked++;
      throw error;
    };
    await t.open({ getToken });
    expect(t.told).toEqual(["error", "waiting"]);
    await t.clock.advance(125);
    expect(asked).toBe(2);
    error = new FanfareError(ErrorCode.UNAUTHENTICATED, "logged out");
    await t.clock.advance(500);
    expect(asked).toBe(3);
    expect(t.failure).toMatchObject({ message: "logged out" });
    expect(t.told.at(-1)).toBe("closed");
    expect(t.network.sockets).toHaveLength(0);
  });

  it("are not waited for without end, and nobody asks for them after the client was closed", async () => {
    const t = new Scripted();
    const signals: { aborted: boolean }[] = [];
    await t.open({
      connectTimeoutMs: 100_000,
      getToken: ({ signal }) => {
        signals.push(signal);
        return new Promise<string>(() => {});
      },
    });
    await t.clock.advance(30_000);
    expect(signals[0]?.aborted).toBe(true);
    expect(t.told).toEqual(["error", "waiting"]);
    const closed = await connected(["one", "two"]);
    closed.client.close().catch(() => {});
    await closed.clock.advance(20 * minute);
    expect(closed.tokenReasons).toEqual(["connect"]);
  });

  it("have to be text", async () => {
    const t = new Scripted();
    await t.open({ getToken: () => "" });
    await settled();
    expect(t.failure).toMatchObject({ code: ErrorCode.UNAUTHENTICATED });
  });
});
