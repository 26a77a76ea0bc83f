import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Access, Scope, type ServerConfig, ServerConfigSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";

/** Signs the tokens of the players, under the key id `k`. */
export const tokenSecret = "a secret of clusters that are put under stress";
/** May do everything in the app `game`. */
const apiKey = "an-API-key-of-clusters-that-are-put-under-stress";

/** How long a node may take until its clients have gone elsewhere. */
export const drainDeadlineMs = 10_000;

/** Every node is a user of Valkey of its own, with this password, which is in this environment variable. */
export const valkeyPassword = "a-password-of-nodes-under-stress";
export const passwordVariable = "CHAOS_VALKEY_PASSWORD";

/**
 * The configuration of one node: the app `game`, whose groups `live:…` are live and `log:…` are durable, open to all; and the app `mail`, whose
 * players' own channels are durable.
 */
export function nodeConfig(nodeId: string, addresses: readonly string[], cluster: boolean, port: number): ServerConfig {
  const open = { subscribe: Access.ANYONE, publish: Access.ANYONE };
  const retention = { maxMessages: 1_000_000, maxBytes: 1n << 30n };
  const durable = { deliveryClass: DeliveryClass.DURABLE, maxRewind: 10_000, retention };
  const keys = [
    { id: "k", algorithm: TokenAlgorithm.HS256, material: { case: "secret" as const, value: tokenSecret } },
  ];
  return create(ServerConfigSchema, {
    nodeId,
    listen: { host: "127.0.0.1", port },
    valkey: {
      addresses: [...addresses],
      cluster,
      keyPrefix: "chaos",
      username: nodeId,
      passwordEnvironment: passwordVariable,
    },
    clusterKeys: [{ id: "c", material: { case: "secret", value: "the cluster's key, at least 32 characters" } }],
    timing: { drainWindowMs: 1_000, drainDeadlineMs },
    limits: {
      handshakesPerSecond: 100_000,
      maxConnectionsPerAddress: 100_000,
      publishesPerSecond: 100_000,
      publishBurst: 100_000,
      framesPerSecond: 100_000,
      maxPayloadBytes: 256 * 1024,
      maxFrameBytes: 512 * 1024,
      bytesPerSecond: 1 << 30,
    },
    apps: [
      {
        id: "game",
        playerAuth: { keys },
        apiKeys: [
          {
            id: "all",
            sha256: createHash("sha256").update(apiKey).digest("hex"),
            scopes: [Scope.PUBLISH, Scope.MESSAGES, Scope.READ, Scope.ADMIN, Scope.PLAYERS, Scope.GROUPS],
          },
        ],
        playerRules: { publish: Access.ANYONE },
        broadcastRules: { publish: Access.ANYONE },
        namespaces: [
          { name: "live", rules: open },
          { name: "log", rules: { ...open, ...durable } },
        ],
      },
      { id: "mail", playerAuth: { keys }, playerRules: { publish: Access.ANYONE, ...durable } },
    ],
  });
}
