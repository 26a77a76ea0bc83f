import { generateKeyPairSync } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Access,
  type PlayerKeySchema,
  PresenceMode,
  type ServerConfig,
  ServerConfigSchema,
  TokenAlgorithm,
} from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { rulesOf } from "./channel-policy.ts";
import { devConfig } from "./dev-config.ts";
import { resolveConfig } from "./resolved-config.ts";
import { resolveLimits } from "./resolved-limits.ts";
import { resolveTiming } from "./resolved-timing.ts";

const random = (length: number) => new Uint8Array(length).fill(7);

function resolve(config: ServerConfig, environment = {}) {
  return resolveConfig(config, { environment, hostname: "my host", randomBytes: random, isTerminal: true });
}

describe("resolveConfig", () => {
  it("fills in every default", () => {
    const config = resolve(devConfig(random).config);
    expect(config.listen).toEqual({
      host: "127.0.0.1",
      port: 8080,
      additional: [],
      trustedProxies: [],
      tls: undefined,
    });
    expect(config.nodeId).toBe("my-host-07070707");
    expect(config.observe).toEqual({ logLevel: "info", logFormat: "text", metrics: true });
    expect(config.clusterKeys).toEqual([{ id: "random", secret: random(32) }]);
    const values = [...Object.values(config.timing), ...Object.values(config.limits)];
    expect(values.filter((value) => !Number.isInteger(value))).toEqual([]);
  });

  it("opens every group in development without namespaces, and none otherwise", () => {
    const { config } = devConfig(random);
    expect(resolve(config).apps.get("dev")?.fallbackPolicy).toMatchObject({
      subscribe: Access.ANYONE,
      publish: Access.ANYONE,
      presence: PresenceMode.MEMBERS,
      deliveryClass: DeliveryClass.LIVE,
    });
    config.dev = false;
    expect(resolve(config).apps.get("dev")?.fallbackPolicy).toBeUndefined();
  });

  it("gives each kind of channel its own defaults", () => {
    const { config } = devConfig(random);
    config.apps[0]!.namespaces = create(ServerConfigSchema, {
      apps: [{ namespaces: [{ name: "chat" }] }],
    }).apps[0]!.namespaces;
    config.apps[0]!.broadcastRules = undefined;
    const app = resolve(config).apps.get("dev")!;
    expect(app.namespaces.get("chat")).toMatchObject({ subscribe: Access.MEMBERS, publish: Access.NOBODY });
    expect(app.namespaces.get("chat")).toMatchObject({ presence: PresenceMode.OFF, maxPayloadBytes: 65_536 });
    expect(app.broadcastPolicy).toMatchObject({ subscribe: Access.ANYONE, publish: Access.NOBODY });
    expect(app.fallbackPolicy).toBeUndefined();
  });

  it("cannot be changed", () => {
    const config = resolve(devConfig(random).config);
    expect(() => Object.assign(config.timing, { helloTimeoutMs: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.apps.get("dev")!.playerPolicy, { publish: 1 })).toThrow(TypeError);
  });
});

describe("keys of a configuration", () => {
  const { publicKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { publicKey: weak } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const { publicKey: p384 } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { publicKey: ed, privateKey } = generateKeyPairSync("ed25519");
  const pem = (key: { export(options: object): string | Buffer }, type = "spki") =>
    key.export({ type, format: "pem" }) as string;

  function resolveKey(key: MessageInitShape<typeof PlayerKeySchema>, environment = {}) {
    const config = create(ServerConfigSchema, { apps: [{ id: "a", playerAuth: { keys: [key] } }] });
    return resolve(config, environment).apps.get("a")!.playerAuth.keys[0]!;
  }

  it("reads secrets and public keys, also from the environment", () => {
    const secret = "s".repeat(32);
    expect(
      resolveKey({ algorithm: TokenAlgorithm.HS256, material: { case: "secret", value: secret } }).key.export(),
    ).toEqual(Buffer.from(secret));
    expect(
      resolveKey({ algorithm: TokenAlgorithm.EDDSA, material: { case: "publicKeyPem", value: pem(ed) } }).algorithm,
    ).toBe("EdDSA");
    expect(
      resolveKey({ algorithm: TokenAlgorithm.RS256, material: { case: "environment", value: "K" } }, { K: pem(rsa) })
        .key.asymmetricKeyType,
    ).toBe("rsa");
  });

  const secret = { case: "secret", value: "s".repeat(32) } as const;
  const publicKeyPem = (value: string) => ({ case: "publicKeyPem", value }) as const;
  const environment = { case: "environment", value: "KEY" } as const;
  it.each([
    ["no algorithm", { material: secret }, "algorithm", /not set/],
    ["a secret as RSA key", { algorithm: TokenAlgorithm.RS256, material: secret }, "secret", /does not fit/],
    [
      "a public key as secret",
      { algorithm: TokenAlgorithm.HS256, material: publicKeyPem(pem(rsa)) },
      "public_key_pem",
      /give a `secret`/,
    ],
    ["no PEM", { algorithm: TokenAlgorithm.ES256, material: publicKeyPem("key") }, "public_key_pem", /no public key/],
    [
      "a private key",
      { algorithm: TokenAlgorithm.EDDSA, material: publicKeyPem(pem(privateKey, "pkcs8")) },
      "public_key_pem",
      /private/,
    ],
    [
      "another kind of key",
      { algorithm: TokenAlgorithm.EDDSA, material: publicKeyPem(pem(rsa)) },
      "public_key_pem",
      /not Ed25519/,
    ],
    ["a weak key", { algorithm: TokenAlgorithm.RS256, material: publicKeyPem(pem(weak)) }, "public_key_pem", /2048/],
    [
      "another curve",
      { algorithm: TokenAlgorithm.ES256, material: publicKeyPem(pem(p384)) },
      "public_key_pem",
      /P-256/,
    ],
    [
      "a variable that is not set",
      { algorithm: TokenAlgorithm.HS256, material: environment },
      "environment",
      /KEY, which is not set/,
    ],
  ])("refuses %s", (_, key, field, message) => {
    expect(() => resolveKey(key)).toThrow(message);
    expect(() => resolveKey(key)).toThrow(expect.objectContaining({ field: `apps[0].player_auth.keys[0].${field}` }));
  });

  it("refuses a short secret from the environment, and never repeats it", () => {
    const key = { algorithm: TokenAlgorithm.HS256, material: environment };
    expect(() => resolveKey(key, { KEY: "hunter2" })).toThrow(/shorter than 32 bytes/);
    expect(() => resolveKey(key, { KEY: "hunter2" })).not.toThrow(/hunter2/);
  });
});

describe("defaults that depend on each other", () => {
  it("widen the range of heartbeats by the interval", () => {
    const timing = create(ServerConfigSchema, { timing: { heartbeatIntervalMs: 100 } }).timing;
    expect(resolveTiming(timing)).toMatchObject({ heartbeatIntervalMinMs: 100, heartbeatIntervalMaxMs: 60_000 });
    const slow = create(ServerConfigSchema, { timing: { heartbeatIntervalMs: 90_000 } }).timing;
    expect(resolveTiming(slow)).toMatchObject({ heartbeatIntervalMinMs: 5_000, heartbeatIntervalMaxMs: 90_000 });
  });

  it("let payloads give way to frames and queues, and frames to payloads", () => {
    const limits = (init: object) => resolveLimits(create(ServerConfigSchema, { limits: init }).limits);
    expect(limits({ maxFrameBytes: 4096 }).maxPayloadBytes).toBe(4096);
    expect(limits({ maxPayloadBytes: 1_000_000 })).toMatchObject({
      maxFrameBytes: 2_000_000,
      sendQueueBytes: 2_000_000,
    });
    expect(limits({}).maxPayloadBytes).toBe(65_536);
  });
});

describe("rulesOf", () => {
  it("gives rules that resolve to the same policy", () => {
    const { config } = devConfig(random);
    const policy = resolve(config).apps.get("dev")!.fallbackPolicy!;
    config.apps[0]!.namespaces = create(ServerConfigSchema, {
      apps: [{ namespaces: [{ name: "n", rules: rulesOf(policy) }] }],
    }).apps[0]!.namespaces;
    expect(resolve(config).apps.get("dev")?.namespaces.get("n")).toEqual(policy);
  });
});
