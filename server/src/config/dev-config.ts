import { createHash, randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Access, Scope, type ServerConfig, ServerConfigSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";

/** The configuration of a development server, and the secrets it was made with. */
export interface DevConfig {
  /** One app named `dev`, without namespaces of its own: a development server then opens every group to everybody. */
  readonly config: ServerConfig;
  /** Signs players' tokens (HS256, key id `dev`). */
  readonly tokenSecret: string;
  /** Key of the control API with every scope. */
  readonly apiKey: string;
  /** Key of the operator API. */
  readonly operatorKey: string;
}

/** The id of the development app. */
export const DEV_APP_ID = "dev";
/** The key id of development tokens. */
export const DEV_KEY_ID = "dev";

/**
 * Makes the configuration of `fanfare serve --dev`. The secrets are new at each start.
 * @param random gives that many random bytes; default: the system's
 */
export function devConfig(random: (length: number) => Uint8Array = randomBytes): DevConfig {
  const tokenSecret = Buffer.from(random(32)).toString("base64url");
  const apiKey = `ffdev_${Buffer.from(random(32)).toString("base64url")}`;
  const operatorKey = `ffop_${Buffer.from(random(32)).toString("base64url")}`;
  const sha256Of = (key: string) => createHash("sha256").update(key).digest("hex");
  const open = { publish: Access.ANYONE } as const;
  const config = create(ServerConfigSchema, {
    dev: true,
    operatorKeys: [{ id: "dev", sha256: sha256Of(operatorKey) }],
    apps: [
      {
        id: DEV_APP_ID,
        playerAuth: {
          keys: [
            {
              id: DEV_KEY_ID,
              algorithm: TokenAlgorithm.HS256,
              material: { case: "secret", value: tokenSecret },
            },
          ],
        },
        apiKeys: [
          {
            id: "dev",
            sha256: sha256Of(apiKey),
            scopes: [Scope.PUBLISH, Scope.READ, Scope.GROUPS, Scope.PLAYERS, Scope.MESSAGES, Scope.ADMIN],
          },
        ],
        playerRules: open,
        broadcastRules: open,
      },
    ],
  });
  return { config, tokenSecret, apiKey, operatorKey };
}
