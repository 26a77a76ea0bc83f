import { create } from "@bufbuild/protobuf";
import { Access, BackendMode, ChannelRulesSchema, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { ChannelSchema, ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { devConfig } from "../config/dev-config.ts";
import { resolveConfig } from "../config/resolved-config.ts";
import { MAX_NAMESPACES, type NamespaceChange, NamespaceRegistry } from "./namespace-registry.ts";

function registry(names: string[]): NamespaceRegistry {
  const { config } = devConfig();
  const rules = { publish: Access.ANYONE };
  config.apps[0]!.namespaces = create(ServerConfigSchema, {
    apps: [{ namespaces: names.map((name) => ({ name, rules })) }],
  }).apps[0]!.namespaces;
  return new NamespaceRegistry(resolveConfig(config, { environment: {} }).apps.get("dev")!, {
    maxPayloadBytes: 1000,
    canReplicate: false,
  });
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

  it("refuses one namespace too many, but still replaces", () => {
    const namespaces = registry(Array.from({ length: MAX_NAMESPACES }, (_, i) => `n${i}`));
    expect(() => namespaces.put("more", open)).toThrow(expect.objectContaining({ code: ErrorCode.LIMIT_EXCEEDED }));
    expect(namespaces.put("n0", open)).toBe(false);
  });
});
