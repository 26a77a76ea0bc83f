import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Access,
  Acknowledgement,
  type AppSchema,
  BackendMode,
  Scope,
  ServerConfigSchema,
} from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { checkConfig } from "./check-config.ts";
import { ConfigError } from "./config-error.ts";
import { devConfig } from "./dev-config.ts";

type Init = MessageInitShape<typeof ServerConfigSchema>;
type AppInit = MessageInitShape<typeof AppSchema>;

const key = { id: "k", algorithm: 1, material: { case: "secret", value: "s".repeat(32) } } as const;
const app = { id: "game", playerAuth: { keys: [key] } } satisfies AppInit;
const apiKey = { id: "backend", sha256: "ab".repeat(32), scopes: [Scope.PUBLISH] };

function problemOf(config: Init): { field: string; message: string } | undefined {
  try {
    checkConfig(create(ServerConfigSchema, { apps: [app], ...config }));
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return { field: error.field, message: error.message };
    throw error;
  }
}

function appProblemOf(changes: AppInit) {
  return problemOf({ apps: [{ ...app, ...changes } as AppInit] });
}

describe("checkConfig", () => {
  it("accepts the smallest configuration, and that of development", () => {
    expect(problemOf({})).toBeUndefined();
    expect(() => checkConfig(devConfig().config)).not.toThrow();
  });

  it("names the bound that a field breaks", () => {
    expect(problemOf({ nodeId: "a b" })?.field).toBe("node_id");
    expect(problemOf({ apps: [] })?.field).toBe("apps");
  });

  const cases: [name: string, config: Init, field: string, message: RegExp][] = [
    ["an address that is none", { valkey: { addresses: ["a"] } }, "valkey.addresses[0]", /host:port/],
    [
      "an operator's key that is no hash",
      { operatorKeys: [{ id: "o", sha256: "z".repeat(64) }] },
      "operator_keys[0].sha256",
      /hexadecimal/,
    ],
    [
      "two operators of one name",
      {
        operatorKeys: [
          { id: "o", sha256: "ab".repeat(32) },
          { id: "o", sha256: "cd".repeat(32) },
        ],
      },
      "operator_keys[1].id",
      /give each its own/,
    ],
    [
      "an app with an operator's key",
      { operatorKeys: [{ id: "o", sha256: "AB".repeat(32) }], apps: [{ ...app, apiKeys: [apiKey] }] },
      "apps[0].api_keys[0].sha256",
      /that of another key/,
    ],
    ["development in the open", { dev: true, listen: { host: "0.0.0.0" } }, "listen.host", /loopback/],
    [
      "development in the open by another address",
      { dev: true, listen: { additional: [{ host: "::1" }, { host: "10.1.1.1" }] } },
      "listen.additional[1].host",
      /10\.1\.1\.1/,
    ],
    [
      "a proxy without an address",
      { listen: { trustedProxies: ["10.0.0.1", "proxy"] } },
      "listen.trusted_proxies[1]",
      /network/,
    ],
    [
      "a network that is too long",
      { listen: { trustedProxies: ["10.0.0.0/33"] } },
      "listen.trusted_proxies[0]",
      /network/,
    ],
    [
      "a least interval above the interval",
      { timing: { heartbeatIntervalMs: 1000, heartbeatIntervalMinMs: 2000 } },
      "timing.heartbeat_interval_min_ms",
      /greater than heartbeat_interval_ms, which is 1000/,
    ],
    [
      "a greatest interval below the interval",
      { timing: { heartbeatIntervalMs: 1000, heartbeatIntervalMaxMs: 500 } },
      "timing.heartbeat_interval_max_ms",
      /less than/,
    ],
    [
      "a drain that closes before it has told everybody",
      { timing: { drainWindowMs: 2000, drainDeadlineMs: 1000 } },
      "timing.drain_window_ms",
      /which is 1000/,
    ],
    [
      "payloads that fit in no frame",
      { limits: { maxFrameBytes: 1024, maxPayloadBytes: 2048 } },
      "limits.max_payload_bytes",
      /max_frame_bytes, which is 1024/,
    ],
    [
      "a send queue that one message fills",
      { limits: { maxPayloadBytes: 100_000, sendQueueBytes: 65_536 } },
      "limits.send_queue_bytes",
      /one message/,
    ],
    ["a log level of the future", { observe: { logLevel: 99 as 0 } }, "observe.log_level", /99/],
    ["a log format of the future", { observe: { logFormat: 99 as 0 } }, "observe.log_format", /99/],
    [
      "cluster keys of one name",
      { clusterKeys: [key, key].map(({ id, material }) => ({ id, material })) },
      "cluster_keys[1].id",
      /like an earlier one/,
    ],
    ["apps of one id", { apps: [app, app] }, "apps[1].id", /"game", like an earlier/],
    [
      "one API key for two apps",
      {
        apps: [
          { ...app, apiKeys: [apiKey] },
          { ...app, id: "b", apiKeys: [{ ...apiKey, sha256: "AB".repeat(32) }] },
        ],
      },
      "apps[1].api_keys[0].sha256",
      /one app/,
    ],
  ];
  it.each(cases)("refuses %s", (_, config, field, message) => {
    const problem = problemOf(config);
    expect(problem?.field).toBe(field);
    expect(problem?.message).toMatch(message);
  });

  const appCases: [name: string, app: AppInit, field: string, message: RegExp][] = [
    ["no way to verify a player", { playerAuth: {} }, "player_auth", /no player could connect/],
    ["player keys of one id", { playerAuth: { keys: [key, key] } }, "player_auth.keys[1].id", /like an earlier/],
    ["a key set in plain text", { playerAuth: { jwksUrl: "http://keys.example/" } }, "player_auth.jwks_url", /https/],
    ["a key set that is no address", { playerAuth: { jwksUrl: "keys" } }, "player_auth.jwks_url", /https/],
    ["API keys of one id", { apiKeys: [apiKey, apiKey] }, "api_keys[1].id", /like an earlier/],
    ["a hash that is none", { apiKeys: [{ ...apiKey, sha256: "g".repeat(64) }] }, "api_keys[0].sha256", /hexadecimal/],
    ["a scope that is none", { apiKeys: [{ ...apiKey, scopes: [1, 0] }] }, "api_keys[0].scopes[1]", /no scope/],
    ["an origin with a path", { allowedOrigins: ["*", "https://game.example/"] }, "allowed_origins[1]", /no origin/],
    ["an origin without a scheme", { allowedOrigins: ["game.example"] }, "allowed_origins[0]", /no origin/],
    ["namespaces of one name", { namespaces: [{ name: "a" }, { name: "a" }] }, "namespaces[1].name", /like an earlier/],
    [
      "asking the backend, which is not there yet",
      { namespaces: [{ name: "a", rules: { backendPublish: BackendMode.ASK } }] },
      "namespaces[0].rules.backend_publish",
      /does not implement/,
    ],
    [
      "telling the backend, which is not there yet",
      { namespaces: [{ name: "a", rules: { backendSubscribe: BackendMode.TELL } }] },
      "namespaces[0].rules.backend_subscribe",
      /does not implement/,
    ],
    [
      "messages that a replica must hold, where there is none",
      {
        namespaces: [
          {
            name: "a",
            rules: { deliveryClass: DeliveryClass.DURABLE, acknowledgement: Acknowledgement.REPLICA_STRICT },
          },
        ],
      },
      "namespaces[0].rules.acknowledgement",
      /no replica/,
    ],
    [
      "an access of the future",
      { namespaces: [{ name: "a", rules: { publish: 77 as Access } }] },
      "namespaces[0].rules.publish",
      /unknown value 77/,
    ],
    [
      "subscribing for subscribers",
      { namespaces: [{ name: "a", rules: { subscribe: Access.SUBSCRIBERS } }] },
      "namespaces[0].rules.subscribe",
      /publishing only/,
    ],
    [
      "retention of a live channel",
      { namespaces: [{ name: "a", rules: { retention: {} } }] },
      "namespaces[0].rules.retention",
      /this one is live/,
    ],
    ["rewind in a live channel", { broadcastRules: { maxRewind: 1 } }, "broadcast_rules.max_rewind", /live/],
    [
      "another audience for broadcast",
      { broadcastRules: { subscribe: Access.MEMBERS } },
      "broadcast_rules.subscribe",
      /cannot/,
    ],
    ["members of a player", { playerRules: { publish: Access.MEMBERS } }, "player_rules.publish", /no members/],
    [
      "payloads above the limit",
      { namespaces: [{ name: "a", rules: { maxPayloadBytes: 65_537 } }] },
      "namespaces[0].rules.max_payload_bytes",
      /which is 65536/,
    ],
  ];
  it.each(appCases)("refuses an app with %s", (_, changes, field, message) => {
    const problem = appProblemOf(changes);
    expect(problem?.field).toBe(`apps[0].${field}`);
    expect(problem?.message).toMatch(message);
  });

  it("lets publishes demand a replica where the log is in Valkey", () => {
    const rules = { deliveryClass: DeliveryClass.DURABLE, acknowledgement: Acknowledgement.REPLICA_STRICT };
    const apps = [{ ...app, namespaces: [{ name: "a", rules }] }];
    expect(problemOf({ apps, valkey: { addresses: ["a:1"] } })).toBeUndefined();
  });

  it("accepts what an app may say", () => {
    expect(
      appProblemOf({
        allowedOrigins: ["*", "https://game.example", "http://localhost:5173", "capacitor://localhost"],
        playerAuth: { jwksUrl: "http://127.0.0.1:1/jwks" },
        apiKeys: [apiKey],
        playerRules: { subscribe: Access.ANYONE, publish: Access.ANYONE },
      }),
    ).toBeUndefined();
  });
});
