import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { ServerConfigSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { ChannelSchema, ErrorCode } from "@fanfare/proto/v1";
import { type JWTHeaderParameters, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { resolveConfig } from "../config/resolved-config.ts";
import { silentLog } from "../observe/log.ts";
import { mintDevToken } from "./mint.ts";
import { PlayerTokenVerifier } from "./player-token.ts";

const nowMs = Date.UTC(2026, 10, 22);
const nowS = nowMs / 1000;
const gameSecret = "game-secret-game-secret-game-secret";
const otherSecret = "other-secret-other-secret-other-sec";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const fetchedKey = generateKeyPairSync("ed25519");

const pem = ({ publicKey }: KeyPairKeyObjectResult) => publicKey.export({ type: "spki", format: "pem" }) as string;
const publicKey = (id: string, algorithm: TokenAlgorithm, keys: KeyPairKeyObjectResult) => ({
  id,
  algorithm,
  material: { case: "publicKeyPem" as const, value: pem(keys) },
});

const secretKey = (id: string, secret: string) => ({
  id,
  algorithm: TokenAlgorithm.HS256,
  material: { case: "secret" as const, value: secret },
});

const config = create(ServerConfigSchema, {
  apps: [
    { id: "rotating", playerAuth: { keys: [secretKey("next", otherSecret), secretKey("former", gameSecret)] } },
    { id: "with-set", playerAuth: { jwksUrl: "https://keys.example/", keys: [secretKey("hs", otherSecret)] } },
    {
      id: "game",
      playerAuth: {
        issuer: "https://accounts.example",
        audience: "fanfare",
        jwksUrl: "https://keys.example/",
        keys: [
          secretKey("hs", gameSecret),
          publicKey("rs", TokenAlgorithm.RS256, rsa),
          publicKey("es", TokenAlgorithm.ES256, ec),
          publicKey("", TokenAlgorithm.EDDSA, ed),
        ],
      },
    },
    {
      id: "other",
      playerAuth: {
        leewayS: 0,
        keys: [secretKey("hs", otherSecret)],
      },
    },
  ],
});

function verifier(fetch: (url: string) => Promise<string> = () => Promise.reject(new Error("unreachable"))) {
  const { apps } = resolveConfig(config, { environment: {} });
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0, setTimer: () => ({ cancel: () => {} }) };
  return new PlayerTokenVerifier({ apps, clock, fetch, log: silentLog });
}

const good = { app: "game", sub: "ann", iss: "https://accounts.example", aud: "fanfare", iat: nowS, exp: nowS + 60 };

function signed(
  claims: Record<string, unknown> = {},
  header: Partial<JWTHeaderParameters> = {},
  key: KeyObject | Uint8Array = Buffer.from(gameSecret),
): Promise<string> {
  return new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: "HS256", kid: "hs", ...header }).sign(key);
}

/** A token whose header names no key. */
function unnamed(app: string, secret: string): Promise<string> {
  return new SignJWT({ ...good, app }).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret));
}

/** A token as an attacker writes it, without a library that minds. */
function forged(header: object, claims: object, secret?: string | Buffer): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part(header)}.${part(claims)}`;
  return `${body}.${secret === undefined ? "" : createHmac("sha256", secret).update(body).digest("base64url")}`;
}

async function refusal(
  token: string | Promise<string>,
  code = ErrorCode.UNAUTHENTICATED,
  fetch?: () => Promise<string>,
) {
  const error = await verifier(fetch)
    .verify(await token)
    .then(
      () => undefined,
      (reason) => reason,
    );
  expect(error).toMatchObject({ name: "FanfareError", code });
  return (error as Error).message;
}

describe("PlayerTokenVerifier", () => {
  it("tells what a good token says", async () => {
    const token = await signed({ jti: "t1", groups: ["team:red", "team:red"], caps: ["publish:chat:*"] });
    const verified = await verifier().verify(token);
    expect(verified).toMatchObject({
      appId: "game",
      playerId: "ann",
      expiresAtMs: (nowS + 60) * 1000,
      issuedAtMs: nowMs,
      tokenId: "t1",
      groups: ["team:red"],
    });
    const chat = create(ChannelSchema, { kind: { case: "group", value: "chat:a" } });
    expect(verified.capabilities.allows("publish", chat)).toBe(true);
  });

  it.each([
    ["RS256", "rs", rsa.privateKey],
    ["ES256", "es", ec.privateKey],
    ["EdDSA", undefined, ed.privateKey],
    ["Ed25519", undefined, ed.privateKey],
  ])("verifies %s", async (alg, kid, key) => {
    const header = kid === undefined ? { alg } : { alg, kid };
    const token = await new SignJWT(good).setProtectedHeader(header).sign(key);
    expect((await verifier().verify(token)).playerId).toBe("ann");
  });

  it("verifies a minted development token", async () => {
    const minted = await mintDevToken({ appId: "other", playerId: "bob", secret: otherSecret, keyId: "hs", nowMs });
    expect(await verifier().verify(minted.token)).toMatchObject({ playerId: "bob", expiresAtMs: minted.expiresAtMs });
  });

  it("takes keys from the configured address, by their own algorithm", async () => {
    const jwk = { ...fetchedKey.publicKey.export({ format: "jwk" }), kid: "new" };
    const urls: string[] = [];
    const fetch = async (url: string) => {
      urls.push(url);
      return JSON.stringify({ keys: [jwk] });
    };
    const token = await signed({}, { alg: "EdDSA", kid: "new" }, fetchedKey.privateKey);
    expect((await verifier(fetch).verify(token)).playerId).toBe("ann");
    expect(urls).toEqual(["https://keys.example/"]);
  });

  it("takes a token that names no key for one of the app's only key, and by that key's algorithm alone", async () => {
    const token = await unnamed("other", otherSecret);
    expect(await verifier().verify(token)).toMatchObject({ appId: "other", playerId: "ann" });
    const claims = { ...good, app: "other" };
    await refusal(forged({ alg: "HS512" }, claims, otherSecret));
    await refusal(forged({ alg: "none" }, claims));
    await refusal(forged({ alg: "HS256" }, claims, gameSecret));
    await refusal(forged({ alg: "HS256", kid: "" }, claims, otherSecret)); // this one names a key that there is not
  });

  it("refuses a token that names no key where there are several with ids, and says that it names none", async () => {
    for (const [app, key] of [
      ["rotating", otherSecret],
      ["rotating", gameSecret],
      ["with-set", otherSecret],
    ] as const) {
      expect(await refusal(unnamed(app, key))).toBe("the token names no `kid`, and the app's keys have ids");
    }
    const named = await signed({ app: "rotating" }, { kid: "former" });
    expect((await verifier().verify(named)).playerId).toBe("ann");
  });

  it("says UNAVAILABLE, not UNAUTHENTICATED, when the key's address cannot be reached", async () => {
    await refusal(signed({}, { kid: "new" }), ErrorCode.UNAVAILABLE);
    await refusal(signed({}, { kid: "new" }), ErrorCode.UNAUTHENTICATED, async () => '{"keys":[]}');
  });
});

describe("attacks on tokens", () => {
  it("refuses a token without a signature, however its alg is written", async () => {
    for (const alg of ["none", "None", "nOnE", ""]) {
      await refusal(forged({ alg, kid: "hs" }, good));
      await refusal(forged({ alg }, good));
    }
  });

  it("refuses the RSA public key as an HMAC secret", async () => {
    const exports = [
      pem(rsa),
      pem(rsa).trim(),
      createPublicKey(pem(rsa)).export({ type: "pkcs1", format: "pem" }),
      rsa.publicKey.export({ type: "spki", format: "der" }),
    ];
    for (const secret of exports) await refusal(forged({ alg: "HS256", kid: "rs" }, good, secret));
  });

  it("refuses an algorithm that is not the key's", async () => {
    await refusal(forged({ alg: "HS512", kid: "hs" }, good, gameSecret));
    await refusal(signed({}, { alg: "PS256", kid: "rs" }, rsa.privateKey));
    await refusal(signed({}, { alg: "RS256", kid: "hs" }, rsa.privateKey));
  });

  it("takes no key or address from the token", async () => {
    const jwk = rsa.publicKey.export({ format: "jwk" });
    let fetches = 0;
    const fetch = async () => {
      fetches++;
      return '{"keys":[]}';
    };
    const header = { alg: "RS256", jwk, jku: "https://evil.example/", x5u: "https://evil.example/", kid: "evil" };
    const evil = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const token = signed({}, { ...header, jwk: evil.publicKey.export({ format: "jwk" }) }, evil.privateKey);
    await refusal(token, ErrorCode.UNAUTHENTICATED, fetch);
    expect(fetches).toBe(1); // the configured address, asked for the unknown key id
    await refusal(signed({}, { ...header, kid: "rs" }, evil.privateKey));
  });

  it.each(["__proto__", "constructor", "../hs", "hs\u0000", "' OR 1=1", "/dev/null", "HS", "x".repeat(129)])(
    "refuses the injected key id %j",
    async (kid) => {
      await refusal(signed({}, { kid }), ErrorCode.UNAUTHENTICATED, async () => '{"keys":[]}');
      await refusal(forged({ alg: "HS256", kid }, good, ""), ErrorCode.UNAUTHENTICATED, async () => '{"keys":[]}');
    },
  );

  it("refuses key ids that are no text, and does not fall back to the key without id", async () => {
    for (const kid of [1, null, ["hs"], {}, true]) await refusal(forged({ alg: "HS256", kid }, good, gameSecret));
    await refusal(signed({}, { kid: "" }));
  });

  it("tries the keys of the app that the token names, and of no other", async () => {
    await refusal(signed({ app: "other" }));
    await refusal(signed({ app: "game" }, {}, Buffer.from(otherSecret)));
    for (const app of ["unknown", "__proto__", "", undefined, ["game"], { game: 1 }, 1]) await refusal(signed({ app }));
  });

  it("refuses a changed payload and a changed signature", async () => {
    const [header, , signature] = (await signed()).split(".");
    const payload = Buffer.from(JSON.stringify({ ...good, sub: "eve" })).toString("base64url");
    await refusal(`${header}.${payload}.${signature}`);
    await refusal((await signed()).replace(/.{4}$/, "AAAA"));
  });

  it("refuses extensions that it does not know", async () => {
    await refusal(forged({ alg: "HS256", kid: "hs", crit: ["x"], x: 1 }, good, gameSecret));
    await refusal(forged({ alg: "HS256", kid: "hs", b64: false, crit: ["b64"] }, good, gameSecret));
  });

  it("says that a good token has expired, and says nothing of the kind of a forged one", async () => {
    await refusal(signed({ exp: nowS - 6 }), ErrorCode.TOKEN_EXPIRED);
    await refusal(signed({ exp: nowS - 6 }, {}, Buffer.from(otherSecret)), ErrorCode.UNAUTHENTICATED);
  });

  it("tolerates the configured difference of clocks", async () => {
    expect((await verifier().verify(await signed({ exp: nowS - 4 }))).playerId).toBe("ann");
    const other = { app: "other", exp: nowS - 1 };
    await refusal(signed(other, {}, Buffer.from(otherSecret)), ErrorCode.TOKEN_EXPIRED);
  });

  it.each([
    ["no exp", { exp: undefined }, /exp/],
    ["an exp that is a text", { exp: "tomorrow" }, /exp/],
    ["an exp beyond all bounds", { exp: 1e300 }, /exp/],
    ["a start in the future", { nbf: nowS + 60 }, /nbf/],
    ["an iat that is no time", { iat: "now" }, /iat/],
    ["an iat before all time", { iat: -1 }, /iat/],
    ["another issuer", { iss: "https://evil.example" }, /iss/],
    ["no issuer", { iss: undefined }, /iss/],
    ["another audience", { aud: "web" }, /aud/],
    ["no player", { sub: undefined }, /sub/],
    ["an empty player", { sub: "" }, /sub/],
    ["a player with a blank", { sub: "a b" }, /sub/],
    ["a player's name of 129 bytes", { sub: "a".repeat(129) }, /sub/],
    ["a player who is a number", { sub: 5 }, /sub/],
    ["groups that are no list", { groups: "team" }, /groups/],
    ["a group that is no name", { groups: ["ok", "not ok"] }, /groups\[1\]/],
    ["a group that is no text", { groups: [{}] }, /groups\[0\]/],
    ["too many groups", { groups: new Array(1001).fill("g") }, /1000 groups/],
    ["capabilities that are no list", { caps: { publish: "*" } }, /caps/],
    ["a capability that is malformed", { caps: ["publish:a", "publish:a b"] }, /capability 1/],
    ["too many capabilities", { caps: new Array(257).fill("publish:a") }, /256 capabilities/],
    ["a jti that is no text", { jti: 1 }, /jti/],
  ])("refuses %s", async (_, claims, message) => {
    expect(await refusal(signed(claims))).toMatch(message);
  });

  it("refuses what is no token, of any size, at once", async () => {
    for (const text of ["", ".", "..", "a.b", "a.b.c", "a.b.c.d.e", "e30.e30.", "%%%.%%%.%%%"]) await refusal(text);
    expect(await refusal("a".repeat(10_000_000))).toMatch(/longer than 8192/);
    expect(await refusal(signed({ padding: "x".repeat(9000) }))).toMatch(/longer than 8192/);
  });

  it("takes a token of the greatest size", async () => {
    const bare = (await signed({ padding: "" })).length;
    const token = await signed({ padding: "x".repeat(Math.floor(((8192 - bare) * 3) / 4) - 2) });
    expect(token.length).toBeGreaterThan(8180);
    expect((await verifier().verify(token)).playerId).toBe("ann");
  });

  it("repeats nothing of the token in its messages", async () => {
    for (const claims of [
      { sub: "s3cret name" },
      { caps: ["s3cret"] },
      { groups: ["s3cret name"] },
      { app: "s3cret" },
    ]) {
      expect(await refusal(signed(claims))).not.toContain("s3cret");
    }
  });
});
