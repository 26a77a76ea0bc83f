import { existsSync } from "node:fs";
import {
  createLog,
  type DevSecrets,
  FanfareError,
  type FanfareServer,
  jsonSink,
  type ResolvedConfig,
  startServer,
  textSink,
} from "@fanfare/server";
import { CliError } from "../cli-error.ts";
import { warnOfFewFiles } from "./open-files.ts";

/** What is to be served. */
export interface OpenOptions {
  readonly config: ResolvedConfig;
  readonly devSecrets: DevSecrets | undefined;
  /** A folder of files to serve at `/`; left out if it does not exist. */
  readonly pages: string | undefined;
}

/** Starts a server whose log goes to standard error. @throws CliError if an address cannot be listened at, or Valkey cannot be used */
export async function openServer({ config, devSecrets, pages }: OpenOptions): Promise<FanfareServer> {
  const { logFormat, logLevel: level } = config.observe;
  const writeLine = (line: string) => process.stderr.write(`${line}\n`);
  const log = createLog({
    level,
    sink: logFormat === "json" ? jsonSink(writeLine) : textSink(writeLine),
    nowMs: Date.now,
  });
  try {
    const server = await startServer({
      config,
      log,
      ...(devSecrets !== undefined && { devSecrets }),
      ...(pages !== undefined && existsSync(pages) && { pages }),
    });
    if (!config.dev) warnOfFewFiles(log, config.limits);
    return server;
  } catch (error) {
    if (error instanceof FanfareError) {
      throw new CliError("failed", `${error.message}${because(error)}`, "", { cause: error });
    }
    throw listenError(error, config);
  }
}

/** What the errors behind one say and it does not: the last of them is what an operator can act on. */
function because({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return "";
  const words = cause.message.replaceAll(/\s+/g, " ").trim();
  return message.includes(words) ? because(cause) : ` (${words})${because(cause)}`;
}

/** Says in a sentence why an address cannot be listened at, or the files of its TLS not be read. */
function listenError(error: unknown, { listen }: ResolvedConfig): unknown {
  const { code, path, address = listen.host, port = listen.port } = error as NodeJS.ErrnoException & ListenFailure;
  const { certificateFile, keyFile } = listen.tls ?? {};
  if (path !== undefined && (path === certificateFile || path === keyFile)) {
    const field = path === certificateFile ? "certificate_file" : "key_file";
    const why = code === "ENOENT" ? "does not exist" : (error as Error).message;
    return new CliError("usage", `listen.tls.${field}: ${path} cannot be read: ${why}`, "", { cause: error });
  }
  const where = `${address}:${port}`;
  switch (code) {
    case "EADDRINUSE": {
      const remedy = "stop that, or choose another port with --port (0: one that is free) or PORT";
      return new CliError("failed", `${where} is in use, perhaps by another fanfare serve`, remedy, { cause: error });
    }
    case "EACCES":
      return new CliError("failed", `this user may not listen on ${where}`, "choose a port from 1024 on with --port", {
        cause: error,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new CliError("failed", `${address} is no address of this machine`, "choose another one with --host", {
        cause: error,
      });
    default:
      return error;
  }
}

interface ListenFailure {
  address?: string;
  port?: number;
}
