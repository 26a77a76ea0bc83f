import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Access, ChannelRulesSchema, PresenceMode } from "@fanfare/proto/config/v1";
import { ChannelSchema } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type ChannelKind, resolveChannelPolicy } from "../config/channel-policy.ts";
import { mayPublish, mayQueryPresence, maySubscribe } from "./access.ts";
import { noCapabilities, parseCapabilities } from "./capabilities.ts";

const group = create(ChannelSchema, { kind: { case: "group", value: "chat:lobby" } });
const player = create(ChannelSchema, { kind: { case: "player", value: "bob" } });
const broadcast = create(ChannelSchema, { kind: { case: "broadcast", value: true } });
const nobody = { capabilities: noCapabilities, isMember: false, isSubscribed: false };
const member = { ...nobody, isMember: true };
const subscriber = { ...nobody, isSubscribed: true };
const holder = (text: string) => ({ ...nobody, capabilities: parseCapabilities([text]) });

function policy(rules: MessageInitShape<typeof ChannelRulesSchema>, kind: ChannelKind = "group") {
  return resolveChannelPolicy(create(ChannelRulesSchema, rules), kind, 65_536);
}

describe("maySubscribe", () => {
  it.each([
    [Access.NOBODY, [false, true, true]],
    [Access.MEMBERS, [false, true, true]],
    [Access.ANYONE, [true, true, true]],
  ])("obeys access %i, and a capability beyond it", (subscribe, expected) => {
    const all = [nobody, member, holder("subscribe:chat:*")];
    expect(all.map((standing) => maySubscribe(policy({ subscribe }), group, standing))).toEqual(expected);
  });

  it("lets members alone in by default", () => {
    expect([nobody, member].map((standing) => maySubscribe(policy({}), group, standing))).toEqual([false, true]);
  });

  it("gives a player's channel to its own player alone, capability or not", () => {
    const rules = policy({}, "player");
    expect([nobody, holder("subscribe:player/*"), member].map((it) => maySubscribe(rules, player, it))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("gives broadcast to everybody", () => {
    expect(maySubscribe(policy({}, "broadcast"), broadcast, nobody)).toBe(true);
  });
});

describe("mayPublish", () => {
  it.each([
    [Access.NOBODY, [false, false, false, true]],
    [Access.MEMBERS, [false, true, false, true]],
    [Access.SUBSCRIBERS, [false, false, true, true]],
    [Access.ANYONE, [true, true, true, true]],
  ])("obeys access %i, and a capability beyond it", (publish, expected) => {
    const all = [nobody, member, subscriber, holder("publish:chat:lobby")];
    expect(all.map((standing) => mayPublish(policy({ publish }), group, standing))).toEqual(expected);
  });

  it("lets nobody by default, whatever the kind", () => {
    expect(mayPublish(policy({}), group, { ...member, isSubscribed: true })).toBe(false);
    expect(mayPublish(policy({}, "player"), player, nobody)).toBe(false);
    expect(mayPublish(policy({}, "broadcast"), broadcast, nobody)).toBe(false);
  });

  it("lets holders of a capability reach players and everybody", () => {
    expect(mayPublish(policy({}, "player"), player, holder("publish:player/*"))).toBe(true);
    expect(mayPublish(policy({}, "broadcast"), broadcast, holder("publish:broadcast"))).toBe(true);
    expect(mayPublish(policy({}, "broadcast"), broadcast, holder("subscribe:broadcast"))).toBe(false);
  });
});

describe("mayQueryPresence", () => {
  it("tells nothing where presence is off", () => {
    expect(mayQueryPresence(policy({ subscribe: Access.ANYONE }), group, holder("presence:*"))).toBe(false);
  });

  it("tells whoever may subscribe or has the capability", () => {
    const rules = policy({ presence: PresenceMode.COUNTS });
    const all = [nobody, member, holder("subscribe:chat:*"), holder("presence:chat:*"), holder("publish:chat:*")];
    expect(all.map((standing) => mayQueryPresence(rules, group, standing))).toEqual([false, true, true, true, false]);
  });
});
