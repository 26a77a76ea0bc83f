import { create } from "@bufbuild/protobuf";
import { type Channel, ChannelSchema } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { CapabilityError, parseCapabilities } from "./capabilities.ts";

const group = (value: string): Channel => create(ChannelSchema, { kind: { case: "group", value } });
const player = (value: string): Channel => create(ChannelSchema, { kind: { case: "player", value } });
const broadcast: Channel = create(ChannelSchema, { kind: { case: "broadcast", value: true } });

describe("parseCapabilities", () => {
  it("grants nothing without capabilities", () => {
    expect(parseCapabilities([]).allows("publish", group("a"))).toBe(false);
  });

  it("grants a group by its name, and no other", () => {
    const { allows } = parseCapabilities(["publish:chat:lobby"]);
    expect(allows("publish", group("chat:lobby"))).toBe(true);
    expect(allows("publish", group("chat:lobby2"))).toBe(false);
    expect(allows("subscribe", group("chat:lobby"))).toBe(false);
    expect(allows("publish", player("chat:lobby"))).toBe(false);
  });

  it("grants groups by the beginning of their names", () => {
    const { allows } = parseCapabilities(["publish:chat:*", "subscribe:*"]);
    expect(allows("publish", group("chat:lobby"))).toBe(true);
    expect(allows("publish", group("chatter"))).toBe(false);
    expect(allows("subscribe", group("anything"))).toBe(true);
    expect([allows("subscribe", broadcast), allows("subscribe", player("p"))]).toEqual([false, false]);
  });

  it("grants players, one or all, and broadcast", () => {
    const { allows } = parseCapabilities(["publish:player/p1", "presence:player/*", "publish:broadcast"]);
    expect([allows("publish", player("p1")), allows("publish", player("p2"))]).toEqual([true, false]);
    expect(allows("presence", player("p2"))).toBe(true);
    expect(allows("publish", broadcast)).toBe(true);
    expect(allows("publish", group("broadcast"))).toBe(false);
  });

  it.each([
    ["no verb", ":chat:*"],
    ["an empty text", ""],
    ["nothing but a verb", "publish"],
    ["no pattern", "publish:"],
    ["a star in the middle", "publish:a*b"],
    ["two stars", "publish:a**"],
    ["a character that names do not have", "publish:a b"],
    ["a prefix of players", "publish:player/a*"],
    ["no player", "publish:player/"],
    ["a name that is too long", `publish:${"a".repeat(256)}`],
  ])("refuses %s", (_, text) => {
    expect(() => parseCapabilities(["publish:ok", text])).toThrow(CapabilityError);
    expect(() => parseCapabilities(["publish:ok", text])).toThrow(/capability 1/);
  });

  it("ignores a verb that a later version may know (FF-TK-006)", () => {
    const { allows } = parseCapabilities(["delete:chat:*", "publish:ok"]);
    expect(allows("publish", group("ok"))).toBe(true);
    expect(allows("publish", group("chat:a"))).toBe(false);
  });

  it("takes 256 and no more", () => {
    const texts = Array.from({ length: 256 }, (_, i) => `publish:g${i}`);
    expect(parseCapabilities(texts).allows("publish", group("g255"))).toBe(true);
    expect(() => parseCapabilities([...texts, "publish:x"])).toThrow(/more than 256/);
  });
});
