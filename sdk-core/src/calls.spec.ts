import { describe, expect, it } from "vitest";
import type { TappedFrame } from "./connection/frame-tap.ts";
import { FanfareError } from "./error.ts";
import { json, text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { ErrorCode } from "./wire/schema.ts";

const types = { request: json<{ n: number }>("n"), response: text() };
const call = (id: number, method: string, payload = { type: "n", json: '{"n":2}' }, deadlineMs = 0) => ({
  id,
  rpc: { method, payload, deadlineMs },
});

describe("calls of the backend", () => {
  it("are answered under their id [FF-RP-001]", async () => {
    const t = await Scripted.connected();
    t.client.handle("double", types, async ({ n }, { method }) => `${method} ${n * 2}`);
    await t.socket.say(call(7, "double"));
    expect(t.socket.last("rpcResult")).toMatchObject({ id: 7, frame: { payload: { type: "", text: "double 4" } } });
  });

  it("are refused for methods that nobody handles, and for arguments of another type [FF-RP-002]", async () => {
    const t = await Scripted.connected();
    const off = t.client.handle("double", types, () => "");
    expect(() => t.client.handle("double", types, () => "")).toThrow(FanfareError);
    await t.socket.say(call(1, "triple"), call(2, "double", { type: "n", json: "{" }));
    off();
    await t.socket.say(call(3, "double"));
    expect(t.socket.sent("rpcResult").map(({ id, frame }) => [id, frame.error?.code])).toEqual([
      [1, ErrorCode.UNKNOWN_METHOD],
      [2, ErrorCode.INVALID_ARGUMENT],
      [3, ErrorCode.UNKNOWN_METHOD],
    ]);
  });

  it("are answered with the error that a handler throws, and with no detail of one that fails by accident [FF-RP-003]", async () => {
    const t = await Scripted.connected();
    t.client.handle("refuse", types, () => {
      throw new FanfareError(ErrorCode.REJECTED, "not now");
    });
    t.client.handle("fail", types, () => {
      throw new Error("password is hunter2");
    });
    await t.socket.say(call(1, "refuse"), call(2, "fail"));
    expect(t.socket.sent("rpcResult").map(({ frame }) => frame.error)).toMatchObject([
      { code: ErrorCode.REJECTED, message: "not now" },
      { code: ErrorCode.INTERNAL, message: "the handler failed" },
    ]);
    expect(t.statuses.at(-1)).toMatchObject({
      type: "error",
      source: "callback",
      error: { message: "password is hunter2" },
    });
  });

  it("are given up at their deadline, 5 s unless they say so, and a late result is thrown away", async () => {
    const t = await Scripted.connected();
    const finish: ((value: string) => void)[] = [];
    const aborted: boolean[] = [];
    t.client.handle("slow", types, (_request, { signal }) => {
      signal.addEventListener("abort", () => aborted.push(true));
      return new Promise<string>((resolve) => finish.push(resolve));
    });
    await t.socket.say(call(1, "slow"), call(2, "slow", undefined, 100));
    await t.clock.advance(100);
    expect(t.socket.sent("rpcResult")).toMatchObject([
      { id: 2, frame: { error: { code: ErrorCode.DEADLINE_EXCEEDED } } },
    ]);
    await t.clock.advance(4900);
    for (const done of finish) done("late");
    await settled();
    expect(t.socket.sent("rpcResult")).toHaveLength(2);
    expect(aborted).toEqual([true, true]);
  });

  it("are refused past a bound of how many run at once", async () => {
    const t = await Scripted.connected();
    t.client.handle("slow", types, () => new Promise<string>(() => {}));
    await t.socket.say(...Array.from({ length: 65 }, (_, i) => call(i + 1, "slow")));
    expect(t.socket.sent("rpcResult")).toMatchObject([
      { id: 65, frame: { error: { code: ErrorCode.LIMIT_EXCEEDED } } },
    ]);
  });
});

describe("the frame tap", () => {
  it("shows every frame with its size, without tokens and secrets", async () => {
    const frames: TappedFrame[] = [];
    const t = await Scripted.connected({ onFrame: (frame) => frames.push(frame) });
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(frames.map(({ direction, connection, kind }) => `${direction} ${connection} ${kind}`)).toEqual([
      "out 1 hello",
      "in 1 welcome",
      "out 1 ping",
      "out 2 hello",
    ]);
    expect(frames.every(({ bytes }) => bytes > 0)).toBe(true);
    const shown = JSON.stringify(frames, (_key, value) => (typeof value === "bigint" ? `${value}` : value));
    expect(shown).not.toMatch(/token-1|secret-1/);
    expect(t.socket.last("hello").frame).toMatchObject({ token: "token-1", resume: { secret: "secret-1" } });
  });

  it("does not let an inspector's fault break the client", async () => {
    const t = await Scripted.connected({
      onFrame: () => {
        throw new Error("inspector");
      },
    });
    expect(t.client.status).toBe("open");
  });
});

describe("calls of the client", () => {
  it("go out with their deadline and resolve with the result, or reject with the backend's error", async () => {
    const t = await Scripted.connected();
    const calls = ["one", "two"].map((method) => t.client.call(method, types, { n: 2 }));
    await settled();
    const [one, two] = t.socket.sent("rpc");
    expect(one?.frame).toMatchObject({ method: "one", payload: { type: "n", json: '{"n":2}' }, deadlineMs: 5000 });
    await t.socket.say(
      { id: two?.id, reply: { error: { code: ErrorCode.REJECTED, message: "not now" } } },
      { id: one?.id, reply: { rpcResult: { payload: { text: "four" } } } },
    );
    expect(await calls[0]).toBe("four");
    await expect(calls[1]).rejects.toMatchObject({ code: ErrorCode.REJECTED, message: "not now" });
  });

  it("fail at their deadline and with their connection, and are not repeated [FF-RP-007]", async () => {
    const t = await Scripted.connected();
    const slow = t.client.call("slow", types, { n: 1 }, { timeoutMs: 100 });
    const lost = t.client.call("lost", types, { n: 1 });
    const outcomes = Promise.all([slow, lost].map((one) => one.catch(({ code }: FanfareError) => code)));
    await settled();
    await t.clock.advance(100);
    await t.socket.end();
    expect(await outcomes).toEqual([ErrorCode.DEADLINE_EXCEEDED, ErrorCode.DEADLINE_EXCEEDED]);
    await t.clock.advance(250);
    await t.welcome();
    expect(t.socket.sent("rpc")).toEqual([]);
  });

  it("are UNIMPLEMENTED where the server does not offer them", async () => {
    const t = await Scripted.connected({}, { features: ["resume"] });
    await expect(t.client.call("one", types, { n: 1 })).rejects.toMatchObject({ code: ErrorCode.UNIMPLEMENTED });
  });
});

describe("what is larger than the server takes", () => {
  it("is not sent, and refused here [FF-TR-014]", async () => {
    const t = await Scripted.connected({}, { limits: { maxFrameBytes: 2048, maxPayloadBytes: 1_048_576 } });
    const large = "x".repeat(3000);
    t.client.handle("large", { request: text(), response: text() }, () => large);
    const refused = Promise.all(
      [
        t.client.call("one", { request: text(), response: text() }, large),
        t.client.to("broadcast").publish(text(), large),
        t.client.join("a", { presence: large }),
      ].map((one: Promise<unknown>) => one.catch(({ code }: FanfareError) => code)),
    );
    await t.socket.say({ id: 4, rpc: { method: "large", payload: { text: "" }, deadlineMs: 0 } });
    expect(await refused).toEqual([ErrorCode.TOO_LARGE, ErrorCode.TOO_LARGE, ErrorCode.TOO_LARGE]);
    expect(t.socket.sent("rpcResult")[0]?.frame.error?.code).toBe(ErrorCode.TOO_LARGE);
    const small = t.client.to("broadcast").publish(text(), "x");
    await settled();
    await t.socket.say({ id: t.socket.last("publish").id, reply: { publishResult: { outcome: 1 } } });
    expect((await small).outcome).toBe(1);
  });
});
