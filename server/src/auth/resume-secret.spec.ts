import { create } from "@bufbuild/protobuf";
import { ResumeSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { describe, expect, it } from "vitest";
import { ResumeSecrets } from "./resume-secret.ts";

const key = (id: string, fill: number) => ({ id, secret: new Uint8Array(32).fill(fill) });
const identity = { appId: "game", playerId: "ann", sessionId: "s1", origin: 2n ** 64n - 1n };

describe("ResumeSecrets", () => {
  const secrets = new ResumeSecrets([key("2026.b", 2), key("2026.a", 1)]);

  it("verifies what it signed", () => {
    expect(secrets.verify(secrets.sign(identity))).toEqual(identity);
  });

  it("keeps the bounds of the protocol at the greatest names", () => {
    const longest = {
      appId: "a".repeat(64),
      playerId: "p".repeat(128),
      sessionId: "s".repeat(64),
      origin: 2n ** 64n - 1n,
    };
    const secret = new ResumeSecrets([key("k".repeat(16), 1)]).sign(longest);
    expect(validatorFor(ResumeSchema)(create(ResumeSchema, { sessionId: "s", secret }))).toBeUndefined();
  });

  it("signs with the first key and accepts both, so that a key can be replaced", () => {
    const before = new ResumeSecrets([key("2026.a", 1)]).sign(identity);
    expect(secrets.verify(before)).toEqual(identity);
    expect(secrets.sign(identity)).toMatch(/^2026\.b\./);
    expect(new ResumeSecrets([key("2026.b", 2)]).verify(before)).toBeUndefined();
  });

  it("refuses a key of the same name and another secret", () => {
    expect(new ResumeSecrets([key("2026.b", 3)]).verify(secrets.sign(identity))).toBeUndefined();
  });

  it("tells keys apart without telling them, the one that signs first", () => {
    const [signing, former] = secrets.fingerprints;
    expect(new ResumeSecrets([key("2026.a", 1), key("2026.b", 2)]).fingerprints).toEqual([former, signing]);
    const others = [key("2026.b", 3), key("2026.c", 2)].flatMap((other) => new ResumeSecrets([other]).fingerprints);
    expect(new Set([signing, former, ...others]).size).toBe(4);
    for (const one of secrets.fingerprints) expect(one).toBeLessThan(2 ** 32);
  });

  it("refuses a secret of which any character was changed", () => {
    const secret = secrets.sign(identity);
    for (let i = 0; i < secret.length - 1; i++) {
      const other = secret[i] === "A" ? "B" : "A";
      expect(secrets.verify(secret.slice(0, i) + other + secret.slice(i + 1)), `at ${i}`).toBeUndefined();
    }
  });

  it.each(["", ".", "..", "a.b.c", "2026.b..", "2026.b.W10.", `2026.b.${"A".repeat(600)}.x`])("refuses %j", (text) => {
    expect(secrets.verify(text)).toBeUndefined();
  });

  it("refuses the identity of one secret under the signature of another", () => {
    const [, , , signature] = secrets.sign(identity).split(".");
    const [id, part, body] = secrets.sign({ ...identity, playerId: "eve" }).split(".");
    expect(secrets.verify([id, part, body, signature].join("."))).toBeUndefined();
  });

  it("needs a key", () => {
    expect(() => new ResumeSecrets([])).toThrow(RangeError);
  });
});
