/** The Fanfare server as it is, with limits so high that none of them shapes the load. */
import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Access, ServerConfigSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { createLog, resolveConfig, startServer } from "@fanfare/server";
import { appId } from "../load/players.ts";
import { scenarioOfThisProcess, serveLoadProcess } from "./contender-side.ts";

const { group, members } = scenarioOfThisProcess();
const tokenSecret = randomBytes(32).toString("base64url");

const config = create(ServerConfigSchema, {
  nodeId: "bench",
  listen: { host: "127.0.0.1", port: 0 },
  apps: [
    {
      id: appId,
      playerAuth: { keys: [{ algorithm: TokenAlgorithm.HS256, material: { case: "secret", value: tokenSecret } }] },
      namespaces: [
        { name: group.slice(0, group.indexOf(":")), rules: { subscribe: Access.ANYONE, publish: Access.SUBSCRIBERS } },
      ],
    },
  ],
  limits: {
    publishesPerSecond: 1_000_000,
    publishBurst: 1_000_000,
    framesPerSecond: 1_000_000,
    bytesPerSecond: 1_073_741_824,
    maxConnections: members * 2,
    maxConnectionsPerAddress: members * 2,
    maxUnauthenticated: members * 2,
    handshakesPerSecond: 1_000_000,
    // A trial past saturation may let queues grow for seconds; that is to show as lag, not as closed connections.
    sendQueueBytes: 64 * 1024 * 1024,
  },
});

const log = createLog({
  level: "warn",
  nowMs: Date.now,
  sink: ({ level, message, fields }) => console.error(`fanfare ${level}: ${message} ${JSON.stringify(fields)}`),
});
const server = await startServer({ config: resolveConfig(config), log });

serveLoadProcess({ port: Number(new URL(server.url).port), tokenSecret }, () => server.close());
