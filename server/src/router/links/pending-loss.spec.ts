import { fromBinary } from "@bufbuild/protobuf";
import { LossSchema } from "@fanfare/proto/cluster/v1alpha";
import { describe, expect, it } from "vitest";
import { PendingLoss } from "./pending-loss.ts";

function taken(loss: PendingLoss) {
  const bytes = loss.take();
  if (bytes === undefined) return undefined;
  const { all, channels } = fromBinary(LossSchema, bytes);
  return all ? "all" : channels.map(({ appId, channelKey }) => `${appId} ${channelKey}`);
}

describe("PendingLoss", () => {
  it("names each channel once, by its app", () => {
    const loss = new PendingLoss(10);
    expect(loss.isEmpty).toBe(true);
    expect(taken(loss)).toBeUndefined();
    for (const appId of ["a", "b", "a"]) loss.add({ appId, key: "g:x" });
    expect(taken(loss)).toEqual(["a g:x", "b g:x"]);
    expect(loss.isEmpty).toBe(true);
  });

  it("says all when there are too many channels, and names again after that", () => {
    const loss = new PendingLoss(3);
    for (let i = 0; i < 10; i++) loss.add({ appId: "a", key: `g:${i}` });
    expect(taken(loss)).toBe("all");
    loss.add({ appId: "a", key: "g:x" });
    expect(taken(loss)).toEqual(["a g:x"]);
  });

  it("says all when the names are too long", () => {
    const loss = new PendingLoss(1_000);
    for (let i = 0; i < 100; i++) loss.add({ appId: "a", key: `g:${i}${"x".repeat(200)}` });
    expect(taken(loss)).toBe("all");
  });
});
