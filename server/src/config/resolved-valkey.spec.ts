import { create } from "@bufbuild/protobuf";
import { ReadPreference, ValkeySchema } from "@fanfare/proto/config/v1";
import { describe, expect, it } from "vitest";
import { resolveValkey, valkeyProblem } from "./resolved-valkey.ts";

describe("valkey of a configuration", () => {
  it("takes names, addresses of both kinds, and the password from the environment", () => {
    const valkey = create(ValkeySchema, {
      addresses: ["valkey.internal:6379", "127.0.0.1:7000", "[::1]:7001"],
      cluster: true,
      tls: true,
      username: "fanfare",
      passwordEnvironment: "PASSWORD",
      keyPrefix: "game",
      requestTimeoutMs: 400,
      certificateAuthorityFile: "/etc/ca.pem",
      connectTimeoutMs: 1,
      laneTimeoutMs: 2,
      lanes: 3,
      replicaTimeoutMs: 4,
      retryForMs: 5,
      readPreference: ReadPreference.REPLICA,
    });
    expect(valkeyProblem(valkey)).toBeUndefined();
    expect(resolveValkey(valkey, { PASSWORD: "secret" })).toEqual({
      addresses: [
        { host: "valkey.internal", port: 6379 },
        { host: "127.0.0.1", port: 7000 },
        { host: "::1", port: 7001 },
      ],
      cluster: true,
      tls: true,
      credentials: { username: "fanfare", password: "secret" },
      requestTimeoutMs: 400,
      certificateAuthorityFile: "/etc/ca.pem",
      connectTimeoutMs: 1,
      laneTimeoutMs: 2,
      lanes: 3,
      waitTimeoutMs: 4,
      callTimeoutMs: 5,
      readsReplicas: true,
      keyPrefix: "game",
    });
  });

  it("has a prefix of its own unless told otherwise", () => {
    const valkey = create(ValkeySchema, { addresses: ["a:1"] });
    expect(resolveValkey(valkey, {})).toEqual({
      addresses: [{ host: "a", port: 1 }],
      cluster: false,
      tls: false,
      keyPrefix: "fanfare",
    });
    expect(resolveValkey(undefined, {})).toBeUndefined();
  });

  it("refuses to start without the password that is named", () => {
    const valkey = create(ValkeySchema, { addresses: ["a:1"], passwordEnvironment: "PASSWORD" });
    expect(() => resolveValkey(valkey, {})).toThrow(/valkey.password_environment.*PASSWORD, which is not set/);
  });

  it.each(["valkey", "valkey:0", "valkey:70000", "::1:6379", "redis://a:6379", "a:b", "user@host:1"])(
    "says that %s is no address",
    (address) => {
      const valkey = create(ValkeySchema, { addresses: ["a:1", address] });
      expect(valkeyProblem(valkey)).toMatchObject({ field: "valkey.addresses[1]", problem: "is not host:port" });
    },
  );

  it("takes no certificate authority without TLS", () => {
    const valkey = create(ValkeySchema, { addresses: ["a:1"], certificateAuthorityFile: "ca.pem" });
    expect(valkeyProblem(valkey)).toMatchObject({ field: "valkey.certificate_authority_file" });
  });

  it("takes no user without a password", () => {
    const valkey = create(ValkeySchema, { addresses: ["a:1"], username: "fanfare" });
    expect(valkeyProblem(valkey)).toMatchObject({ field: "valkey.username" });
  });
});
