import { describe, expect, it } from "vitest";
import { FanfareError } from "./error.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { ErrorCode } from "./wire/schema.ts";

describe("connecting", () => {
  it("says hello with the token, the features it implements and its first attempt, and is open with the welcome", async () => {
    const t = await Scripted.connected();
    expect(t.socket.url).toBe("ws://game.test/v1/connect");
    expect(t.socket.messages[0]).toHaveLength(1);
    const { frame: hello, id } = t.socket.last("hello");
    expect(id).toBe(0);
    expect(hello).toMatchObject({
      token: "token-1",
      attempt: 1,
      features: [
        "resume",
        "hand_over",
        "presence",
        "report",
        "server_rpc",
        "client_rpc",
        "durable",
        "history",
        "cursor",
      ],
      client: { name: "scripted" },
    });
    expect(hello.resume).toBeUndefined();
    expect(t.client).toMatchObject({ status: "open", playerId: "alice", sessionId: "session-1", origin: 11n });
    expect(t.told).toEqual(["connecting", "open"]);
    expect(t.client.player.subscribed && t.client.broadcast.subscribed).toBe(true);
  });

  it("sends nothing before the welcome [FF-HS-002]", async () => {
    const t = new Scripted();
    await t.open();
    await t.socket.accept();
    await t.clock.advance(10_000);
    expect(t.socket.messages.flat().map((frame) => Object.keys(frame))).toEqual([["id", "hello"]]);
  });

  it("takes http addresses and paths of one's own", async () => {
    for (const [url, wanted] of [
      ["http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/connect"],
      ["https://game.test/", "wss://game.test/v1/connect"],
      ["wss://game.test/edge/fanfare?a=b", "wss://game.test/edge/fanfare?a=b"],
    ] as const) {
      const t = new Scripted();
      await t.open({ url });
      expect(t.socket.url).toBe(wanted);
    }
  });

  it("refuses what is no option before it opens anything", async () => {
    for (const [options, field] of [
      [{ url: "ftp://game.test" }, "url"],
      [{ url: "nonsense" }, "url"],
      [{ connectTimeoutMs: -1 }, "connectTimeoutMs"],
      [{ getToken: undefined as never }, "getToken"],
    ] as const) {
      const t = new Scripted();
      await t.open(options);
      expect(t.failure).toMatchObject({ code: ErrorCode.INVALID_ARGUMENT, field });
      expect(t.network.sockets).toHaveLength(0);
    }
  });

  it("rejects with what the server says before it closes for good", async () => {
    const t = new Scripted();
    await t.open();
    await t.socket.accept();
    await t.socket.say({
      error: { code: ErrorCode.UNAUTHENTICATED, message: "wrong key", retryAfterMs: 0, field: "" },
    });
    await t.socket.end(4004, "no");
    expect(t.failure).toBeInstanceOf(FanfareError);
    expect(t.failure).toMatchObject({ code: ErrorCode.UNAUTHENTICATED, closeCode: 4004, retryable: false });
    expect((t.failure as FanfareError).cause).toMatchObject({ message: "wrong key" });
    expect(t.told.at(-1)).toBe("closed");
  });

  it("keeps trying until its time is over, and rejects with the last failure", async () => {
    const t = new Scripted();
    await t.open({ connectTimeoutMs: 4000 });
    for (let i = 0; i < 3; i++) {
      await t.socket.end();
      await t.clock.advance(900);
    }
    expect(t.network.sockets).toHaveLength(4);
    await t.clock.advance(2000);
    expect(t.failure).toMatchObject({ code: ErrorCode.UNAVAILABLE });
    expect((t.failure as FanfareError).cause).toMatchObject({ closeCode: 1006 });
    expect(t.socket.closedBy).toBeDefined();
    expect(t.clock.timers, "timers left behind").toBeLessThanOrEqual(1); // stop's own, of one second
  });

  it("gives up by its signal, before and while connecting", async () => {
    const controller = new AbortController();
    const t = new Scripted();
    await t.open({ signal: controller.signal as never });
    controller.abort();
    await settled();
    expect(t.failure).toMatchObject({ code: ErrorCode.CANCELLED });
    expect(t.socket.closedBy).toBeDefined();
    const late = new Scripted();
    await late.open({ signal: controller.signal as never });
    expect(late.failure).toMatchObject({ code: ErrorCode.CANCELLED });
    expect(late.network.sockets).toHaveLength(0);
  });

  it("treats a server that speaks another subprotocol as one that never will speak this one", async () => {
    const t = new Scripted();
    await t.open();
    await t.socket.accept("fanfare.v1.json");
    expect(t.failure).toMatchObject({ code: ErrorCode.UNIMPLEMENTED });
    expect(t.socket.closedBy?.code).toBe(1000);
  });

  it("obeys the HTTP status of a refused upgrade where it is known [FF-CL-005]", async () => {
    const t = new Scripted();
    await t.open();
    await t.socket.end(1006, "", { status: 503, retryAfterMs: 7000 });
    expect(t.statuses.at(-1)).toMatchObject({ type: "waiting", delayMs: 7000 });
    await t.clock.advance(7000);
    await t.socket.end(1006, "", { status: 404, retryAfterMs: 0 });
    expect(t.told.at(-1)).toBe("closed");

    const welcomed = await Scripted.connected();
    await welcomed.socket.end();
    await welcomed.clock.advance(250);
    await welcomed.socket.end(1006, "", { status: 404, retryAfterMs: 0 });
    expect(welcomed.told.at(-1)).toBe("waiting");
  });

  it("ends the session with `disconnect` when it is closed, and rejects what waits", async () => {
    const t = await Scripted.connected();
    const joining = t.client.join("a").catch((thrown: unknown) => thrown);
    const closing = t.client.close("bye");
    expect(await joining).toMatchObject({ code: ErrorCode.CANCELLED });
    expect(t.socket.last("disconnect").frame.reason).toBe("bye");
    await t.socket.end(4000);
    await closing;
    expect(t.client.status).toBe("closed");
    expect(t.statuses.at(-1)).toEqual({ type: "closed", error: undefined });
    expect(t.clock.timers).toBe(0);
    await t.client.close();
  });

  it("does not wait for the other side's close for more than a second", async () => {
    const t = await Scripted.connected();
    let done = false;
    t.client.close().then(() => {
      done = true;
    });
    await t.clock.advance(999);
    expect(done).toBe(false);
    await t.clock.advance(1);
    expect(done).toBe(true);
  });
});

describe("bad frames", () => {
  it("closes with 4001 on bytes that are no frame, and begins a new session [FF-TR-019]", async () => {
    for (const message of [new Uint8Array([10, 200]), "text"]) {
      const t = await Scripted.connected();
      t.socket.deliver(message);
      await settled();
      expect(t.socket.closedBy?.code).toBe(4001);
      await t.clock.advance(250);
      await t.socket.accept();
      expect(t.socket.last("hello").frame).toMatchObject({ attempt: 1 });
      expect(t.socket.last("hello").frame.resume).toBeUndefined();
    }
  });

  it("answers a frame that it does not know with UNIMPLEMENTED if it has an id, and otherwise ignores it [FF-FR-013, FF-FR-014]", async () => {
    const t = await Scripted.connected();
    t.socket.deliver(new Uint8Array([10, 6, 8, 5, 250, 7, 1, 0, 10, 4, 250, 7, 1, 0]));
    await settled();
    expect(t.socket.sent("rpcResult")).toMatchObject([{ id: 5, frame: { error: { code: ErrorCode.UNIMPLEMENTED } } }]);
    expect(t.client.status).toBe("open");
  });

  it("ignores replies that it does not wait for, and an `error` frame does not close anything [FF-FR-005, FF-ER-004]", async () => {
    const t = await Scripted.connected();
    await t.socket.say(
      { id: 77, reply: { unsubscribed: {} } },
      { id: 78, pong: { pingSentAtUs: 1 } },
      { error: { code: ErrorCode.RATE_LIMITED, message: "slow down", retryAfterMs: 300, field: "" } },
      { error: { code: 999 as ErrorCode, message: "new", retryAfterMs: 0, field: "" } },
    );
    const errors = t.statuses.flatMap((event) => (event.type === "error" ? [event.error] : []));
    expect(errors[0]).toMatchObject({ code: ErrorCode.RATE_LIMITED, retryable: true, retryAfterMs: 300 });
    expect(errors[1]).toMatchObject({ code: ErrorCode.INTERNAL, retryable: false, retryAfterMs: 0 });
    expect(t.client.status).toBe("open");
  });

  it("joins frames that are sent in one turn into one message, in their order, within the server's bound", async () => {
    const t = await Scripted.connected({}, { limits: { maxFrameBytes: 400, maxPendingRequests: 100 } });
    const before = t.socket.messages.length;
    for (let i = 0; i < 5; i++) t.client.join(`group-${i}`).catch(() => {});
    await settled();
    expect(t.socket.messages.slice(before).map((message) => message.length)).toEqual([5]);
    for (let i = 0; i < 20; i++) t.client.to({ group: "g" }).send({ ...anyText, encode: text }, `${i}`.repeat(30));
    await settled();
    const sizes = t.socket.messages.slice(before + 1).map((message) => message.length);
    expect(sizes.length).toBeGreaterThan(2);
    expect(t.socket.sent("publish").map(({ frame }) => frame.seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });
});

const text = (value: string) => ({ type: "", text: value });
const anyText = { type: "", kind: "text" as const, decode: () => "" };
