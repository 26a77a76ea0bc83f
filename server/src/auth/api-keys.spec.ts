import { createHash } from "node:crypto";
import { Scope } from "@fanfare/proto/config/v1";
import { describe, expect, it } from "vitest";
import { devConfig } from "../config/dev-config.ts";
import { resolveConfig } from "../config/resolved-config.ts";
import { ApiKeys } from "./api-keys.ts";

describe("ApiKeys", () => {
  const { config, apiKey } = devConfig();
  const keys = new ApiKeys(resolveConfig(config, { environment: {} }).apps.values());

  it("finds app and scopes of a key", () => {
    const caller = keys.authenticate(`Bearer ${apiKey}`);
    expect(caller).toMatchObject({ appId: "dev", keyId: "dev" });
    expect(caller?.scopes.has(Scope.ADMIN)).toBe(true);
    expect(keys.authenticate(`bearer  ${apiKey}`)?.appId).toBe("dev");
  });

  it.each([
    ["no header", null],
    ["no key", "Bearer "],
    ["another scheme", `Basic ${apiKey}`],
    ["no scheme", apiKey],
    ["another key", `Bearer ${apiKey}x`],
    ["the stored hash", `Bearer ${config.apps[0]?.apiKeys[0]?.sha256}`],
    ["two keys", `Bearer ${apiKey} ${apiKey}`],
    ["a huge key", `Bearer ${"x".repeat(100_000)}`],
  ])("refuses %s", (_, header) => {
    expect(keys.authenticate(header)).toBeUndefined();
  });

  it("follows an app whose keys change, and forgets one that is gone", () => {
    const of = (key: string) => ({
      id: "k",
      sha256: createHash("sha256").update(key).digest(),
      scopes: new Set<number>(),
    });
    const changing = new ApiKeys();
    changing.set({ id: "game", apiKeys: [of("one"), of("two")] });
    changing.set({ id: "other", apiKeys: [of("three")] });
    changing.set({ id: "game", apiKeys: [of("two"), of("three")] });
    changing.set({ id: "other", apiKeys: [of("one")] });
    expect(["one", "two", "three"].map((key) => changing.find(key)?.appId)).toEqual(["other", "game", "game"]);
    changing.delete("game");
    expect(["one", "two", "three"].map((key) => changing.find(key)?.appId)).toEqual(["other", undefined, undefined]);
  });
});
