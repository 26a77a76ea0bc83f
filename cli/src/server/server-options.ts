import { type Command, Option } from "commander";
import { CliError } from "../cli-error.ts";
import { workerVariable } from "./worker-number.ts";

/** Options of every command that talks to a server. */
export interface ServerOptions {
  readonly url: string;
  readonly json?: true;
}

/** Where `npm start` listens. */
export const defaultUrl = "http://127.0.0.1:8080";

/** Environment variables of the command line; the server's own configuration leaves them alone. */
export const cliVariables = [
  "FANFARE_URL",
  "FANFARE_API_KEY",
  "FANFARE_OPERATOR_KEY",
  "FANFARE_TOKEN",
  "FANFARE_CHROMIUM",
  workerVariable,
] as const;

/** Adds `--url` and `--json`. */
export function withServerOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--url <url>", "address of the server, for players and control alike")
        .env("FANFARE_URL")
        .default(defaultUrl),
    )
    .option("--json", "print JSON for machines, one object a line");
}

/** Adds `--api-key`, which reaches the control API. */
export function withApiKey(command: Command): Command {
  return command.addOption(
    new Option("--api-key <key>", "key of the control API; a development server on this machine gives its own").env(
      "FANFARE_API_KEY",
    ),
  );
}

/** Adds `--operator-key`, which reaches the operator API. */
export function withOperatorKey(command: Command): Command {
  return command.addOption(
    new Option(
      "--operator-key <key>",
      "key of the operator API; a development server on this machine gives its own",
    ).env("FANFARE_OPERATOR_KEY"),
  );
}

/** The address as http or https, without a path. An empty variable counts as not set. @throws CliError */
export function httpUrl(given: string): string {
  const text = given === "" ? defaultUrl : given;
  const url = URL.canParse(text) ? new URL(text.replace(/^ws/i, "http")) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.origin;
  const where = text === process.env.FANFARE_URL ? "FANFARE_URL: " : "--url: ";
  throw new CliError("usage", `${where}"${text}" is no address of a server`, `write it as ${defaultUrl}`);
}
