import { create, type DescMessage, getOption, toBinary, toJsonString } from "@bufbuild/protobuf";
import { LimitsSchema } from "@fanfare/proto/config/v1";
import {
  bounds,
  DeliveryClass,
  GapReason,
  HelloSchema,
  type SubscriptionResult,
  SubscriptionResultSchema,
  WelcomeSchema,
} from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { MAX_GROUPS } from "../auth/player-token.ts";

const highest = BigInt(Number.MAX_SAFE_INTEGER);
const position = { epoch: highest, offset: highest, tag: 0xffff_ffff };

/** What takes most of a subscription's room, of a group with so long a name. */
function largest(nameBytes: number): SubscriptionResult {
  const gap = { reason: GapReason.UNAVAILABLE, from: position, to: position, missed: highest };
  const places = { position, head: position, cursor: position, recovered: true, gap };
  return create(SubscriptionResultSchema, {
    channel: { kind: { case: "group", value: "x".repeat(nameBytes) } },
    result: {
      case: "subscribed",
      value: { deliveryClass: DeliveryClass.DURABLE, ...places, presence: true, byServer: true },
    },
  });
}

function boundOf(message: DescMessage, name: string, kind: "max" | "maxItems" | "maxLen"): number {
  const field = message.fields.find(({ localName }) => localName === name);
  if (field === undefined) throw new RangeError(`no field ${name}`);
  return Number(getOption(field, bounds)[kind]);
}

describe("welcome", () => {
  it("has room for all that a player can be a member of and subscribe in hello, with the longest names (FF-TR-012)", () => {
    const longest = 255;
    const named = boundOf(HelloSchema, "subscriptions", "maxItems");
    const tokenNames = Math.ceil(boundOf(HelloSchema, "token", "maxLen") / MAX_GROUPS);
    const welcome = create(WelcomeSchema, {
      subscriptions: [
        ...Array.from({ length: boundOf(LimitsSchema, "maxMemberships", "max") + named }, () => largest(longest)),
        ...Array.from({ length: MAX_GROUPS }, () => largest(tokenNames)),
      ],
    });
    const ofTheRest = 4_096;
    expect(toBinary(WelcomeSchema, welcome).length + ofTheRest).toBeLessThan(2 * 1024 * 1024);
    expect(toJsonString(WelcomeSchema, welcome).length + ofTheRest).toBeLessThan(8 * 1024 * 1024);
  });
});
