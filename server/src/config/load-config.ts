import { create } from "@bufbuild/protobuf";
import { type ServerConfig, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { overlayEnvironment } from "./config-environment.ts";
import { ConfigError } from "./config-error.ts";
import { type ConfigText, readConfigText } from "./config-text.ts";
import { type ResolvedConfig, type ResolveOptions, resolveConfig } from "./resolved-config.ts";

/** Where a configuration comes from. */
export interface LoadOptions extends ResolveOptions {
  /** YAML or JSON. Default: none, which needs `base`. */
  text?: string;
  /** Begin with this instead of a text, for instance a development configuration. It is changed by the environment. */
  base?: ServerConfig;
  /** Names of FANFARE_ variables that are not the configuration's. Those that the configuration itself names are known. */
  otherVariables?: Iterable<string>;
}

/**
 * Reads a configuration, puts the environment on top, checks it and fills in every default.
 * @throws ConfigError naming the field, and the line or environment variable it comes from
 */
export function loadConfig(options: LoadOptions): ResolvedConfig {
  const environment = options.environment ?? process.env;
  const read: ConfigText =
    options.text === undefined
      ? { config: options.base ?? create(ServerConfigSchema), lineOf: () => undefined }
      : readConfigText(options.text);
  const allowed = new Set([...(options.otherVariables ?? []), ...variablesNamedIn(read.config)]);
  const variables = overlayEnvironment(read.config, environment, allowed);
  try {
    return resolveConfig(read.config, { ...options, environment });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const variable = variables.get(error.field);
    const line = variable === undefined ? read.lineOf(error.field) : undefined;
    throw new ConfigError(error, { line, variable, cause: error });
  }
}

/** The environment variables that hold keys and passwords. */
function* variablesNamedIn(config: ServerConfig): Iterable<string> {
  for (const { playerAuth } of config.apps) {
    for (const { material } of playerAuth?.keys ?? []) if (material.case === "environment") yield material.value;
  }
  for (const { material } of config.clusterKeys) if (material.case === "environment") yield material.value;
  if (config.valkey?.passwordEnvironment) yield config.valkey.passwordEnvironment;
}
