import { CliError } from "../cli-error.ts";

/** What a command shows a server, and where people give it to the command. */
export interface Credential {
  readonly name: string;
  readonly option: string;
  readonly variable: string;
}

export const playerToken: Credential = { name: "token", option: "--token", variable: "FANFARE_TOKEN" };
export const apiKey: Credential = { name: "API key", option: "--api-key", variable: "FANFARE_API_KEY" };
export const operatorKey: Credential = {
  name: "operator key",
  option: "--operator-key",
  variable: "FANFARE_OPERATOR_KEY",
};

/**
 * What was given, without the blanks around it; undefined: nothing, which an empty variable says as well.
 * @throws CliError if no server could take it
 */
export function given(text: string | undefined, credential: Credential): string | undefined {
  const value = text?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  const { name, option, variable } = credential;
  const message = `the ${name} has blanks or characters that no ${name} has`;
  throw new CliError("unauthorized", message, `copy it anew into ${option} or ${variable}`);
}

/** A server does not know what it was shown. */
export function unknownTo(url: string, { name, option, variable }: Credential, cause: unknown): CliError {
  const message = `${url} does not know this ${name}`;
  return new CliError("unauthorized", message, `pass another one with ${option} or ${variable}`, { cause });
}
