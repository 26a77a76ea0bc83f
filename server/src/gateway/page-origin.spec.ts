import { describe, expect, it } from "vitest";
import { isLoopbackHost, isOriginAllowed } from "./page-origin.ts";

const game = "https://game.example";

describe("isOriginAllowed", () => {
  it("takes what is listed exactly, and clients that are no browsers", () => {
    expect(isOriginAllowed(game, [game], false)).toBe(true);
    expect(isOriginAllowed(undefined, [], false)).toBe(true);
    expect(isOriginAllowed("https://any.example", ["*"], false)).toBe(true);
  });

  it("refuses what only looks like it", () => {
    for (const origin of [
      "http://game.example",
      "https://game.example:8443",
      "https://game.example.evil.example",
      "https://evil.example/https://game.example",
      "https://GAME.example",
      "null",
      "",
    ]) {
      expect(isOriginAllowed(origin, [game], false), origin).toBe(false);
    }
  });

  it("takes pages of this machine in development alone", () => {
    const local = ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443", "http://app.localhost:1"];
    for (const origin of local) {
      expect(isOriginAllowed(origin, [], true), origin).toBe(true);
      expect(isOriginAllowed(origin, [], false), origin).toBe(false);
    }
    for (const origin of ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "null", "localhost", ""]) {
      expect(isOriginAllowed(origin, [], true), origin).toBe(false);
    }
  });
});

describe("isLoopbackHost", () => {
  it("knows the names and addresses of this machine", () => {
    for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.255.0.9", "[::1]"]) {
      expect(isLoopbackHost(host), host).toBe(true);
    }
    for (const host of ["", "localhost.", "xlocalhost", "128.0.0.1", "127.0.0.1.x", "::1", "[::2]", "0.0.0.0"]) {
      expect(isLoopbackHost(host), host).toBe(false);
    }
  });
});
