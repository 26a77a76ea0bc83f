import type { ServerConfig } from "@fanfare/proto/config/v1";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { ConfigError } from "./config-error.ts";

const violationOf = validatorFor(ServerConfigSchema);

/**
 * Checks the bounds of every field, then the rules between fields.
 * @throws ConfigError for the first one that is broken
 */
export function checkConfig(config: ServerConfig): void {
  const violation = violationOf(config);
  if (violation !== undefined)
    throw new ConfigError({ field: violation.field, problem: violation.message, remedy: "" });
}
