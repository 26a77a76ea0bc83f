import { readFileSync } from "node:fs";
import { ConfigError, type DevSecrets, devConfig, loadConfig, type ResolvedConfig } from "@fanfare/server";
import { CliError } from "../cli-error.ts";
import { cliVariables } from "./server-options.ts";

/** Options of `fanfare serve`. */
export interface ServeOptions {
  readonly config?: string;
  readonly dev?: true;
  readonly host?: string;
  readonly port?: number;
  readonly workers?: number;
  readonly json?: true;
}

/** A configuration, and for a development server the secrets it was made with. */
export interface ServerSetup {
  readonly config: ResolvedConfig;
  readonly devSecrets: DevSecrets | undefined;
}

/** How `--host` comes to the configuration. */
const hostVariable = "FANFARE_LISTEN_HOST";

/** Puts together what a server is to do. @throws CliError that names the field, the line or the variable */
export function readServerConfig(
  { config: file, dev, host, port }: ServeOptions,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): ServerSetup {
  if (dev && file !== undefined) {
    throw new CliError(
      "usage",
      "--dev makes its own configuration",
      "leave out --config for a development server, or leave out --dev to serve what the file says",
    );
  }
  if (dev === undefined && file === undefined) {
    throw new CliError(
      "usage",
      "nothing says what to serve",
      "pass --config <file>, or --dev for a development server",
    );
  }
  const environment = {
    ...variables,
    ...(host === undefined ? {} : { [hostVariable]: host }),
    ...(port === undefined ? {} : { FANFARE_LISTEN_PORT: String(port) }),
  };
  const options = { environment, otherVariables: cliVariables };
  try {
    if (file !== undefined) return { config: loadConfig({ ...options, text: textOf(file) }), devSecrets: undefined };
    const { config, ...devSecrets } = devConfig();
    return { config: loadConfig({ ...options, base: config }), devSecrets };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError("usage", problemText(error, file, host), "", { cause: error });
  }
}

/** Where the problem is: an option, a variable or the file. */
function problemText({ message, field, problem, remedy, variable }: ConfigError, file = "", host?: string): string {
  if (host !== undefined && variable === hostVariable) return `--host ${problem}: ${remedy}`;
  if (variable !== undefined || /^[A-Z][A-Z0-9_]*$/.test(field)) return message;
  return `${file || "configuration"}: ${message}`;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : (error as Error).message;
    throw new CliError("usage", `the configuration ${file} cannot be read: ${reason}`, "", { cause: error });
  }
}
