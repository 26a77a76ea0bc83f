import { create } from "@bufbuild/protobuf";
import { Access, PresenceMode, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { type ResolvedConfig, resolveConfig } from "../../server/src/config/resolved-config.ts";
import { appId, type Plan } from "./plan.ts";

const open = { subscribe: Access.ANYONE, publish: Access.ANYONE, presence: PresenceMode.MEMBERS };
const secret = { case: "secret" as const, value: "a secret of simulated runs, and of nothing else" };

/** Bytes of the largest message of a run. */
export const maxPayloadBytes = 16_384;

/** The configuration of one node of a run. */
export function nodeConfig(
  { timing, sendQueueBytes, maxMessages, setting, lanes }: Plan,
  nodeId: string,
): ResolvedConfig {
  return resolveConfig(
    create(ServerConfigSchema, {
      nodeId,
      listen: { port: 0 },
      timing: { ...timing, presenceTickMs: 50, heartbeatIntervalMinMs: Math.min(1000, timing.heartbeatIntervalMs) },
      limits: { sendQueueBytes, maxPayloadBytes },
      apps: [
        {
          id: appId,
          playerAuth: { keys: [{ id: "k", algorithm: 1, material: secret }] },
          namespaces: [
            { name: "live", rules: open },
            { name: "team", rules: { publish: Access.ANYONE } },
            {
              name: "log",
              rules: { ...open, deliveryClass: DeliveryClass.DURABLE, maxRewind: 10_000, retention: { maxMessages } },
            },
          ],
          playerRules: { publish: Access.ANYONE },
          broadcastRules: { publish: Access.ANYONE },
        },
      ],
      clusterKeys: [{ id: "c", material: secret }],
      ...(setting !== "embedded" && {
        valkey: { addresses: ["127.0.0.1:6379"], cluster: setting === "valkey-cluster", lanes },
      }),
    }),
    { environment: {}, hostname: "simulated" },
  );
}
