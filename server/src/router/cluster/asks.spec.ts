import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { ErrorCode } from "@fanfare/proto/v1";
import { beforeEach, describe, expect, it } from "vitest";
import { FanfareError } from "../../fanfare-error.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { LinkOutcome, LinkPort } from "../links/link-port.ts";
import { type Answerer, Asks } from "./asks.ts";

const barrier = { case: "barrier" as const, value: {} };
const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe("Asks", () => {
  let clock: VirtualClock;
  let asks: Asks;
  let answerer: Answerer;
  let sent: { to: bigint; bytes: Uint8Array; settle: (outcome: LinkOutcome) => void }[];

  beforeEach(() => {
    clock = new VirtualClock();
    sent = [];
    answerer = () => ({ case: "done", value: {} });
    const send: LinkPort["send"] = (to, { bytes }, settle = () => {}) => void sent.push({ to, bytes, settle });
    asks = new Asks({ send } as LinkPort, clock, (from, ask) => answerer(from, ask));
  });

  /** Gives what was sent last to the other side, which is the same here. */
  const deliver = (from: bigint) => {
    const { kind } = fromBinary(RecordSchema, sent.at(-1)?.bytes ?? new Uint8Array());
    if (kind.case === "ask") asks.onAsk(from, kind.value);
    else if (kind.case === "answer") asks.onAnswer(kind.value);
  };

  it("brings the answer to who has asked", async () => {
    answerer = async (from, { appId, question }) => {
      expect([from, appId, question.case]).toEqual([1n, "app", "barrier"]);
      return { case: "controlResponse", value: Uint8Array.of(9) };
    };
    const answer = asks.ask(2n, barrier, { appId: "app" });
    deliver(1n);
    await settled();
    deliver(2n);
    expect(await answer).toEqual({ case: "controlResponse", value: Uint8Array.of(9) });
    expect(clock.pendingTimers).toBe(0);
  });

  it("fails with what the other node threw", async () => {
    answerer = () => {
      throw new FanfareError(ErrorCode.NOT_FOUND, "not here", { field: "player_id" });
    };
    const answer = asks.ask(2n, barrier);
    deliver(1n);
    await settled();
    deliver(2n);
    await expect(answer).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND, message: "not here", field: "player_id" });
  });

  it("tells whether the question may have been understood", async () => {
    const failed = asks.ask(2n, barrier);
    sent[0]?.settle("failed");
    await expect(failed).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    const unknown = asks.ask(2n, barrier);
    sent[1]?.settle("unknown");
    await expect(unknown).rejects.toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED });
    const late = asks.ask(2n, barrier, { deadlineMs: 100 });
    sent[2]?.settle("delivered");
    clock.advance(100);
    await expect(late).rejects.toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED });
    const dead = asks.ask(2n, barrier);
    asks.forget(2n);
    await expect(dead).rejects.toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED });
    expect(clock.pendingTimers).toBe(0);
  });
});
