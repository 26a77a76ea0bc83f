import { create } from "@bufbuild/protobuf";
import { Access, BackendMode, ChannelRulesSchema, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { ChannelSchema, ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { devConfig } from "../config/dev-config.ts";
import { resolveConfig } from "../config/resolved-config.ts";
import { MAX_NAMESPACES, type NamespaceChange, NamespaceRegistry, type OwnRulesChange } from "./namespace-registry.ts";

function definition(names: string[], broadcast = Access.ANYONE) {
  const { config } = devConfig();
  config.apps[0]!.broadcastRules = create(ChannelRulesSchema, { publish: broadcast });
  const rules = { publish: Access.ANYONE };
  config.apps[0]!.namespaces = create(ServerConfigSchema, {
    apps: [{ namespaces: names.map((name) => ({ name, rules })) }],
  }).apps[0]!.namespaces;
  return resolveConfig(config, { environment: {} }).apps.get("dev")!;
}

function registry(names: string[]): NamespaceRegistry {
  return new NamespaceRegistry(definition(names), { maxPayloadBytes: 1000, canReplicate: false });
}

const open = create(ChannelRulesSchema, { subscribe: Access.ANYONE });

describe("NamespaceRegistry", () => {
  it("finds the policy by what stands before the first colon", () => {
    const namespaces = registry(["default", "chat"]);
    expect(namespaces.policyForGroup("chat:a:b")?.publish).toBe(Access.ANYONE);
    expect(namespaces.policyForGroup("lobby")?.publish).toBe(Access.ANYONE);
    expect(namespaces.policyForGroup("game:a")).toBeUndefined();
    expect(namespaces.policyForGroup(":a")).toBeUndefined();
  });

  it("has no group without a colon unless `default` is configured", () => {
    expect(registry(["chat"]).policyForGroup("chat")).toBeUndefined();
  });

  it("knows the policies of players' channels and broadcast", () => {
    const namespaces = registry(["chat"]);
    const of = (kind: Parameters<typeof create<typeof ChannelSchema>>[1]) =>
      namespaces.policyFor(create(ChannelSchema, kind));
    expect(of({ kind: { case: "player", value: "p" } })?.subscribe).toBe(Access.ANYONE);
    expect(of({ kind: { case: "broadcast", value: true } })?.publish).toBe(Access.ANYONE);
    expect(of({ kind: { case: "group", value: "chat:x" } })?.subscribe).toBe(Access.MEMBERS);
    expect(of({})).toBeUndefined();
  });

  it("changes at run time, and tells who listens", () => {
    const namespaces = registry(["chat"]);
    const changes: NamespaceChange[] = [];
    const stop = namespaces.onChange((change) => changes.push(change));
    expect(namespaces.put("game", open)).toBe(true);
    expect(namespaces.put("game", undefined)).toBe(false);
    expect(namespaces.delete("game")).toBe(true);
    expect(namespaces.delete("game")).toBe(false);
    stop();
    namespaces.put("late", open);
    expect(changes.map(({ name, policy }) => [name, policy?.subscribe])).toEqual([
      ["game", Access.ANYONE],
      ["game", Access.MEMBERS],
      ["game", undefined],
    ]);
    expect(namespaces.list().map(([name]) => name)).toEqual(["chat", "late"]);
  });

  it("refuses rules that contradict each other, naming the field, and keeps what was", () => {
    const namespaces = registry(["chat"]);
    const before = namespaces.policyForGroup("chat:a");
    const asking = create(ChannelRulesSchema, { backendPublish: BackendMode.ASK });
    expect(() => namespaces.put("chat", asking)).toThrow(
      expect.objectContaining({ code: ErrorCode.INVALID_ARGUMENT, field: "namespace.rules.backend_publish" }),
    );
    const large = create(ChannelRulesSchema, { maxPayloadBytes: 1001 });
    expect(() => namespaces.put("chat", large)).toThrow(/which is 1000/);
    expect(namespaces.policyForGroup("chat:a")).toBe(before);
  });

  it("follows another definition, except where something was put or deleted above it", () => {
    const namespaces = registry(["chat", "game", "kept"]);
    const changes: string[] = [];
    namespaces.onChange(({ name, policy }) => changes.push(`${name} ${policy?.publish ?? "gone"}`));
    namespaces.put("chat", open);
    namespaces.delete("game");
    changes.length = 0;
    namespaces.redefine(definition(["chat", "game", "kept", "late"]));
    expect(changes).toEqual([`late ${Access.ANYONE}`]);
    expect(namespaces.list().map(([name]) => name)).toEqual(["chat", "kept", "late"]);
    namespaces.redefine(definition(["new"]));
    expect(changes.slice(1)).toEqual(["kept gone", "late gone", `new ${Access.ANYONE}`]);
    expect(namespaces.list().map(([name]) => name)).toEqual(["chat", "new"]);
    namespaces.redefine(definition(["chat", "game"]));
    for (const name of ["chat", "game", "nothing"]) namespaces.reset(name);
    expect(namespaces.list().map(([name, { publish }]) => [name, publish])).toEqual([
      ["chat", Access.ANYONE],
      ["game", Access.ANYONE],
    ]);
  });

  it("tells of other rules for players' channels and broadcast, and of no others", () => {
    const namespaces = registry(["chat"]);
    const changes: OwnRulesChange[] = [];
    namespaces.onOwnRulesChange((change) => changes.push(change));
    namespaces.redefine(definition(["chat", "game"]));
    expect(changes).toEqual([]);
    namespaces.redefine(definition(["chat"], Access.NOBODY));
    expect(changes.map(({ kind, former, policy }) => [kind, former.publish, policy.publish])).toEqual([
      ["broadcast", Access.ANYONE, Access.NOBODY],
    ]);
  });

  it("refuses one namespace too many, but still replaces", () => {
    const namespaces = registry(Array.from({ length: MAX_NAMESPACES }, (_, i) => `n${i}`));
    expect(() => namespaces.put("more", open)).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
    expect(namespaces.put("n0", open)).toBe(false);
  });
});
