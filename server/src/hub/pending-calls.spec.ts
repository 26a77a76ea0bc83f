import { create, fromBinary } from "@bufbuild/protobuf";
import { ErrorCode, type RpcResult, RpcResultSchema, type ServerFrame, ServerFramesSchema } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { PendingCalls } from "./pending-calls.ts";
import type { SessionLink } from "./session-link.ts";

let clock: VirtualClock;
let calls: PendingCalls;
let sent: ServerFrame[];
let link: SessionLink;

beforeEach(() => {
  clock = new VirtualClock();
  calls = new PendingCalls(clock, 3);
  sent = [];
  link = {
    enqueue: (frame: { bytes: Uint8Array }) => sent.push(...fromBinary(ServerFramesSchema, frame.bytes).frames),
  } as unknown as SessionLink;
});

const rpc = { method: "m", payload: undefined, deadlineMs: 0 };
const answer = create(RpcResultSchema, { result: { case: "payload", value: { type: "t" } } });

function codeOf({ result }: RpcResult): ErrorCode | undefined {
  return result.case === "error" ? result.value.code : undefined;
}

describe("PendingCalls", () => {
  it("sends a call under an id of its own and gives its answer", async () => {
    const [one, two] = [calls.call(link, rpc), calls.call(link, { ...rpc, deadlineMs: 9 })];
    expect(sent.map(({ kind }) => kind.case === "rpc" && [kind.value.method, kind.value.deadlineMs])).toEqual([
      ["m", 5_000],
      ["m", 9],
    ]);
    const [first, second] = sent.map(({ id }) => id) as [number, number];
    expect(first).toBeGreaterThan(0);
    expect(second).not.toBe(first);
    expect(calls.answer(second, answer)).toBe(true);
    expect(calls.answer(first, answer)).toBe(true);
    expect([await one, await two]).toEqual([answer, answer]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("fails a call at its deadline, and throws a later answer away", async () => {
    const call = calls.call(link, rpc);
    clock.advance(4_999);
    clock.advance(1);
    expect(codeOf(await call)).toBe(ErrorCode.DEADLINE_EXCEEDED);
    expect(calls.answer(sent[0]!.id, answer)).toBe(false);
  });

  it("ignores an answer under an id that it never gave, and a second answer", () => {
    void calls.call(link, rpc);
    expect(calls.answer(sent[0]!.id + 1, answer)).toBe(false);
    expect(calls.answer(0, answer)).toBe(false);
    expect(calls.answer(sent[0]!.id, answer)).toBe(true);
    expect(calls.answer(sent[0]!.id, answer)).toBe(false);
  });

  it("fails every call when its connection ends", async () => {
    const pending = [calls.call(link, rpc), calls.call(link, rpc)];
    calls.failAll("gone");
    expect((await Promise.all(pending)).map(codeOf)).toEqual([
      ErrorCode.DEADLINE_EXCEEDED,
      ErrorCode.DEADLINE_EXCEEDED,
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("bounds what waits", async () => {
    for (let i = 0; i < 3; i++) void calls.call(link, rpc);
    expect(codeOf(await calls.call(link, rpc))).toBe(ErrorCode.LIMIT_EXCEEDED);
    expect(sent.length).toBe(3);
    calls.answer(sent[0]!.id, answer);
    void calls.call(link, rpc);
    expect(sent.length).toBe(4);
  });
});
